"""Takes a clause apart."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.frames import groups, parts, subordinates, verbs
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token
_LETTING: Final = frozenset(["let", "allow", "enable", "permit", "help"])


def parse(tokens: Sequence[Token]) -> parts.Frame | None:
    """Take a clause apart; None when it has no verb."""
    tokens = _strip_lead(tokens)
    tokens = tokens[_possibility(tokens) :]
    tokens, conditions = subordinates.leading(tokens)
    if not tokens:
        return None
    if verbs.imperative_at(tokens, 0) and verbs.finite_verb(tokens, 0, conjoined=False) is None:
        group = groups.verb_group(tokens, 0)
        subject: tuple[Token, ...] = ()
    else:
        at = verbs.finite_verb(tokens, 0, conjoined=True)
        if at is None:
            return None
        subject, group = tuple(tokens[:at]), groups.verb_group(tokens, at)
        if len(subject) > 1 and subject[-1].low == "never":  # "a course never has more students than seats"
            subject, group = subject[:-1], dataclasses.replace(group, negated=True)
    return _letting(parts.Frame(subject, group, tuple(tokens[group.end :]), tuple(conditions)))


def _possibility(tokens: Sequence[Token]) -> int:
    """Give where the order begins in "it should also be possible to delete a workout"; 0 where there is none."""
    if not tokens or tokens[0].low != "it":
        return 0
    passed = lexicon.MODALS | lexicon.BE | lexicon.ADVERBS
    at = next((i for i in range(1, len(tokens)) if tokens[i].low not in passed), len(tokens))
    denied = {t.low for t in tokens[:at]} & lexicon.NEGATIONS
    led = [t.low for t in tokens[at : at + 2]] == ["possible", "to"]
    return at + 2 if led and not denied and verbs.imperative_at(tokens, at + 2) else 0


def _letting(frame: parts.Frame) -> parts.Frame:
    """Read "lets users add tasks" and "allows members to borrow books" as "users can add tasks"."""
    if frame.verb not in _LETTING or frame.group.passive:
        return subordinates.trailing(frame)
    for i in range(1, min(len(frame.rest), 8)):
        token = frame.rest[i]
        if token.low == "to" or (token.verb == token.low and not morphology.is_plural(token.low)):
            start = i + 1 if token.low == "to" else i
            if start >= len(frame.rest) or frame.rest[start].kind is not Kind.WORD:
                break
            inner = groups.verb_group(frame.rest, start)
            group = parts.VerbGroup(
                inner.start,
                inner.end,
                inner.verbs,
                inner.form,
                "can",
                frame.group.negated,
                frame.group.only,
                inner.passive,
            )
            return subordinates.trailing(parts.Frame(frame.rest[:i], group, frame.rest[inner.end :], frame.conditions))
    return subordinates.trailing(frame)


_STRIP_LEAD_WORDS: Final = lexicon.words("and but or , so here addition there")


def _strip_lead(tokens: Sequence[Token]) -> Sequence[Token]:
    i = 0
    leads = lexicon.ADVERBS - {"only", "both", "either", "never"} | _STRIP_LEAD_WORDS
    while i < len(tokens) - 1 and (
        tokens[i].low in leads - {"there"}
        or tokens[i].kind in {Kind.BULLET, Kind.BREAK}
        or (tokens[i].low == "in" and tokens[i + 1].low == "addition")
        or tokens[i].text in {",", ":", "-", "\u2013", "—"}
    ):
        if tokens[i].low == "get":
            break
        i += 1
    return tokens[i:]
