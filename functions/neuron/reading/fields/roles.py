"""Reads relative and helping words that lead into an attribute: "which must be unique", "that is optional"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import defaults, enumerating, requirements, sizes, uniqueness, vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_ROLE_WORDS: Final = lexicon.words("be a an one the of also itself another")


def role(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "who is a member" and "which refers to a member"."""
    bare = tokens[i].low == "is" and i + 2 < len(tokens) and tokens[i + 1].low in {"a", "an"}
    i -= bare  # "author is a user" as "author who is a user"
    if (
        (tokens[i].low not in {"who", "which", "that"} and not bare)
        or i + 3 > len(tokens)
        or tokens[i + 1].low not in {"is", "must", "are"}
    ):
        return None
    start = next(
        (j for j in range(i + 2, min(i + 5, len(tokens))) if tokens[j].low not in _ROLE_WORDS),
        None,
    )
    if start is None or not tokens[start].is_word or tokens[start - 1].low not in {"a", "an", "the"}:
        return None
    end = next(
        (
            j
            for j in range(start, len(tokens))
            if not tokens[j].is_word or tokens[j].low in lexicon.CONJUNCTIONS | lexicon.PREPOSITIONS
        ),
        len(tokens),
    )
    if tokens[start].low in vocabulary.TYPES:
        return None  # "a value that is a decimal number"
    target.role_of = (*[t.low for t in tokens[start : end - 1]], tokens[end - 1].singular)
    return end


_HELPER_WORDS: Final = lexicon.words(
    "must should shall will may can has have to also always needs it they left valid both"
)


def helper(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Pass over "that is", "which must be", "must be": what follows is an attribute."""
    j = i
    if tokens[j].low in {"which", "that"}:
        j += 1
    while (
        j < len(tokens)
        and tokens[j].low in (lexicon.BE | _HELPER_WORDS)
        and not (j > i and requirements.requirement(tokens, j, replace(target)) is not None)
    ):
        j += 1
    if j == i or j >= len(tokens):
        return None
    probe = replace(target)
    if enumerating.said_values(tokens, j, probe) is not None or any(
        r(tokens, j, probe) is not None
        for r in (
            defaults.default,
            uniqueness.uniqueness,
            requirements.requirement,
            sizes.sizes,
            requirements.named_type,
        )
    ):
        return j
    return None
