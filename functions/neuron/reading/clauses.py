"""Splits a request into sentences, and these into clauses: the smallest parts that say something of their own.

Promises: every token belongs to exactly one clause, in order; what is not covered by a clause is white space,
punctuation or a conjunction. A clause that
borrows its subject from the one before ("… and is due after 14 days") carries it in `lead`; the lines of a list carry
the line that introduces it in `header`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import borrowing, frames, lexicon, morphology, openings, sentences
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Clause:
    """A clause: its tokens, and what it takes from its neighbours."""

    tokens: tuple[Token, ...]
    lead: tuple[Token, ...] = ()
    header: tuple[Token, ...] = ()
    heading: tuple[Token, ...] = ()  # a heading in front of it ("Rules:"), which says nothing of its own
    intro: bool = False  # says what is asked for: "An API for a library"

    @property
    def start(self) -> int:
        """The offset of its first code point."""
        return (self.heading or self.tokens)[0].start

    @property
    def end(self) -> int:
        """The offset behind its last code point."""
        return self.tokens[-1].end

    @property
    def words(self) -> tuple[Token, ...]:
        """What is to be read: its tokens behind those that it takes from the clause before."""
        return (*self.lead, *self.tokens)


def split(tokens: Sequence[Token]) -> list[Clause]:
    """Give the clauses of the tokens of a request."""
    found: list[Clause] = []
    heading: tuple[Token, ...] = ()
    for i, (whole, header) in enumerate(sentences.cut(tokens)):
        sentence, front = sentences.without_heading(whole)
        heading = (*heading, *front)
        if sentences.is_heading(sentence):
            heading = (*heading, *sentence)
            continue
        opens = i == 0 or (i < openings.LATEST_REQUEST and openings.requests(sentence))
        made = _clauses(sentence, header, first=opens and not header)
        if made and heading:
            made[0] = Clause(made[0].tokens, made[0].lead, made[0].header, heading, made[0].intro)
            heading = ()
        found += made
    if heading:
        found.append(Clause(heading))
    return found


def _clauses(sentence: list[Token], header: tuple[Token, ...], *, first: bool) -> list[Clause]:
    made: list[Clause] = []
    start = 0
    lead: tuple[Token, ...] = ()
    while start < len(sentence):
        end, following, following_lead, is_intro = _next(sentence, start, lead, first=first and not made)
        is_intro = is_intro or (first and not made and openings.asks(sentence[start:end]))
        is_intro = is_intro or (first and bool(lead) and openings.wants(sentence[start:end]))
        part = sentences.trimmed(sentence[start:end])
        if part:
            made.append(Clause(tuple(part), lead, header, intro=is_intro))
        start, lead = max(following, start + 1), following_lead
    return made


def _next(
    sentence: list[Token], start: int, lead: tuple[Token, ...], *, first: bool
) -> tuple[int, int, tuple[Token, ...], bool]:
    """Give where the clause that begins at `start` ends, where the next one begins, what that one borrows."""
    if first and (split_at := openings.introduction(sentence, start)) is not None:
        return (*split_at, (), True)
    whole = [*lead, *sentence[start:]]
    shift = start - len(lead)
    subordinate = sentence[start].low in lexicon.SUBORDINATORS
    imperative = not lead and frames.imperative_at(whole, 0) and not _told(whole)
    verb_at = 0 if imperative else frames.finite_verb(whole, 0, conjoined=True)
    if verb_at is None and subordinate:
        verb_at = frames.finite_verb(whole, 1, conjoined=True)
    if verb_at is None:
        return _verbless(sentence, start)
    group = frames.verb_group(whole, verb_at)
    subject = tuple(whole[:verb_at])
    i = max(group.end + shift, start + 1)
    while i < len(sentence):
        token = sentence[i]
        if token.text in {"(", "["}:
            i = frames.close_of(sentence, i) + 1
            continue
        after = _behind_separator(sentence, i)
        if after is None:
            i += 1
            continue
        if subordinate and token.text == ",":
            subordinate = False
            verb_at = frames.finite_verb(sentence, after, conjoined=False)
            if verb_at is not None:
                subject, group = tuple(sentence[after:verb_at]), frames.verb_group(sentence, verb_at)
                i = group.end
                continue
        borrowed = borrowing.borrowed(sentence, after, subject, group, imperative=imperative, whole=whole)
        if borrowed is not None:
            return i, after, borrowed, False
        i = after
    return len(sentence), len(sentence), (), False


def _told(whole: Sequence[Token]) -> bool:
    """Whether what looks like an order is a noun: "repair jobs are for a car"."""
    return (
        len(whole) > _SHORTEST
        and morphology.is_plural(whole[1].low)
        and whole[2].low in lexicon.BE | lexicon.HAVE | lexicon.MODALS
    )


_SHORTEST: Final = 3


def _verbless(sentence: list[Token], start: int) -> tuple[int, int, tuple[Token, ...], bool]:
    for i in range(start + 1, len(sentence)):
        if (
            sentence[i].text in {",", ";"}
            and frames.finite_verb(sentence, i + 1) is not None
            and not _colon_before(sentence, start, i)
        ):
            return i, i + 1, (), False
        if sentence[i].text in {",", ";"} and _restriction(sentence, i + 1):
            return i, i + 1, (), False
    return len(sentence), len(sentence), (), False


_RESTRICTED: Final = lexicon.words("more two overlapping overlaps double duplicate duplicates same")


def _restriction(sentence: list[Token], at: int) -> bool:
    """Whether a rule without a verb begins: "only once each", "never more bookings than seats", "no overlaps"."""
    if at + 1 >= len(sentence):
        return False
    low, following = sentence[at].low, sentence[at + 1].low
    return (low in {"only", "never", "not"} and following in {"once", "one", *_RESTRICTED}) or (
        low == "no" and following in _RESTRICTED
    )


def _colon_before(sentence: list[Token], start: int, end: int) -> bool:
    return any(token.text == ":" for token in sentence[start:end])


_BEHIND_SEPARATOR_WORDS_2: Final = lexicon.words("and but or so then also additionally while whereas")


_BEHIND_SEPARATOR_WORDS: Final = lexicon.words("and but or so while whereas where then")


def _behind_separator(sentence: list[Token], i: int) -> int | None:
    """Give the position behind the separator at `i` (commas, conjunctions and adverbs); None when there is none."""
    if sentence[i].low in {"where", "while"} and i > 0 and sentence[i - 1].text != ",":
        return None
    if sentence[i].text not in {",", ":", *openings.DASHES} and sentence[i].low not in _BEHIND_SEPARATOR_WORDS:
        return None
    after = i + 1
    while after < len(sentence) and (
        sentence[after].text in {",", *openings.DASHES} or sentence[after].low in _BEHIND_SEPARATOR_WORDS_2
    ):
        after += 1
    if after + 1 < len(sentence) and sentence[after].low == "to" and sentence[after + 1].low in lexicon.OPERATION_VERBS:
        after += 1  # "I'd like to add yarns, and to list them"
    return after if after < len(sentence) else None
