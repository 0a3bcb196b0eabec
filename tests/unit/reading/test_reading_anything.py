"""Whatever a request says, reading it ends: with a valid specification, or with a sentence on what is missing."""

from __future__ import annotations

import itertools
import random
import re
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.neuron import reading
from functions.neuron.reading import clauses, tokens
from shared.software.closure import faults
from shared.software.specification import ClauseStatus, Specification

SAYING = """a an the each every no only and or but , . ; : ( ) - member members book books loan task has have can
must is are cannot borrow books at most 3 5 14 days per day name title unique optional of to from in with
between than more less greater status draft open closed if when unless while it its their they sum
average number count overlap before after start end date time API command line tool library that convert
miles kilometres deleted cancelled goes either one same twice 'x' "y" /loans 10% $5 # *"""
WORDS = [*re.split(r"\s+", SAYING), "\n", "\n\n"]
CORPUS = [
    case["request"]
    for name in ("corpus", "heldout", "gained", "heldout_again", "heldout_third")
    for case in tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text())["case"]
]


def read_or_refuse(request: Any) -> Any:
    try:
        return reading.read(request)
    except reading.UnreadableError:
        return None


def check(request: Any) -> None:
    specification = read_or_refuse(request)
    if specification is None:
        return
    assert faults(specification) == []
    assert Specification.model_validate_json(specification.model_dump_json()) == specification
    end = 0
    for clause in specification.clauses:
        assert end <= clause.start < clause.end <= len(request)
        assert request[clause.start : clause.end] == clause.text
        assert (clause.status is ClauseStatus.DONE) == bool(clause.implements) == (not clause.reason)
        end = clause.end
    assert reading.read(request) == specification


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_words_in_any_order(request: Any) -> None:
    check(request)


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text(request: Any) -> None:
    check(request)


@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_mutilated_requests(request: Any, rng: random.Random) -> None:
    cut = list(request)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(cut))
        match rng.randint(0, 3):
            case 0:
                del cut[at : at + rng.randint(1, 30)]
            case 1:
                cut.insert(at, rng.choice(string.punctuation + "\n\t é漢"))
            case 2:
                cut[at:at] = cut[rng.randrange(len(cut)) :][:40]
            case _:
                cut[at] = rng.choice(string.ascii_letters)
        if not cut:
            cut = ["a"]
    check("".join(cut))


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_tokens_leave_nothing_out(text: Any) -> None:
    cut = tokens.tokenise(text)
    end = 0
    for token in cut:
        assert token.start >= end
        assert text[end : token.start].strip() == ""
        end = token.end
    assert text[end:].strip() == ""


@given(st.sampled_from(CORPUS) | st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_every_token_stands_in_one_clause_or_separates_two(request: Any) -> None:
    cut = [token for token in tokens.tokenise(request) if token.is_word or token.value is not None]
    made = clauses.split(tokens.tokenise(request))
    spans = [(clause.start, clause.end) for clause in made]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    joints = {
        "and",
        "or",
        "but",
        "so",
        "then",
        "also",
        "while",
        "whereas",
        "where",
        "additionally",
        "to",
        "in",
        "which",
    }
    outside = [t for t in cut if not any(start <= t.start and t.end <= end for start, end in spans)]
    assert {token.low for token in outside} <= joints


PIECES = [
    *("members have ", "a, ", "(", "((a) ", "if ", "a book has a name, ", "x or ", "and ", "between 1 and "),
    *("no more than ", "who ", "- a\n", "'", "of the ", "is one of a, b, "),
]


@pytest.mark.parametrize("piece", PIECES)
def test_work_grows_with_length_only(piece: Any) -> None:
    """Ten thousand characters of anything are read: the recursion and the look-ahead are bounded."""
    check((piece * (10_000 // len(piece) + 1))[:10_000])


@pytest.mark.parametrize("request_text", ["", "   ", "?!", "42", "Hello there.", "Please help me", "lorem ipsum dolor"])
def test_what_says_nothing_is_refused(request_text: Any) -> None:
    with pytest.raises(reading.UnreadableError, match=r"\.$"):
        reading.read(request_text)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(reading.UnreadableError, match="longer"):
        reading.read("a" * (reading.LONGEST + 1))
