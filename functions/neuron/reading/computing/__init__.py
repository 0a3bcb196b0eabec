"""Reads what is to be computed: counts, conversions, statistics, formulas, tests and transformations of texts.

Formulas that the request writes out come first; then units, codes, named formulas, and the catalogue of algorithms.
Promises: nothing is guessed beyond
what is named: a result that is neither written out nor known stays undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import predicates
from functions.neuron.reading.computing import (
    arguments,
    catalogued,
    codes,
    computations,
    conversions,
    named,
    passwords,
    stated,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


def read(clause: Clause, draft: Draft) -> bool:
    """Read a clause for what it wants computed; True when that was found and added to the draft."""
    words = clause.words
    if stated.written_out(words, draft):
        return True
    if conversions.conversion(words, draft):
        beside = _beside_conversion(words)
        if beside:
            _several(beside, draft)
        return True
    return passwords.password(words, draft) or _several(words, draft)


def _beside_conversion(words: Sequence[Token]) -> list[Token]:
    """Give what else a clause asks for: "computes the median of numbers and converts miles to kilometres"."""
    at = next((i for i, t in enumerate(words) if t.verb == "convert"), None)
    if at is None:
        return []
    further = (
        i
        for i in range(at + 1, len(words))
        if words[i].verb in computations.COMPUTING and words[i - 1].low in {"and", ","}
    )
    rest = [*words[:at], *words[next(further, len(words)) :]]
    return rest if any(t.verb in computations.COMPUTING for t in rest) else []


def read_part(words: Sequence[Token], draft: Draft) -> bool:
    """Read a part of an enumeration for what it wants computed."""
    return _several(words, draft)


def read_exact(words: Sequence[Token], draft: Draft) -> bool:
    """Read what a part of an enumeration names in so many words that nothing else can be meant: "round half up"."""
    return catalogued.exactly(words, draft)


def _several(words: Sequence[Token], draft: Draft) -> bool:
    """Read codes, arithmetic, named formulas and what the catalogue names, which may stand in one clause."""
    known = predicates.read(words, draft)
    known = codes.coded(words, draft) or known or named.arithmetic(words, draft) or named.by_name(words, draft)
    return catalogued.in_catalogue(words, draft, whole=not known) or known


def without_presumed(draft: Draft) -> None:
    """Take back what was only presumed to be wanted, now that the whole request is read."""
    catalogued.without_presumed(draft)


def restricts(clause: Clause, draft: Draft) -> bool:
    """Read what is said of the arguments of computations: "negative numbers are refused"."""
    return (
        arguments.absolute_zero(clause.words, draft)
        or arguments.refused(clause.words, draft)
        or arguments.bounded(clause.words, draft)
        or arguments.used(clause.words, draft)
        or arguments.rounded(clause.words, draft)
    )
