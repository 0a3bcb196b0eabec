"""Reads what is said of the arguments of computations: what is refused, their bounds, how results are rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.computing import computations
from shared.software.specification import Case, Computation, FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


def absolute_zero(words: Sequence[Token], draft: Draft) -> bool:
    """Read "anything below absolute zero is refused" where temperatures are converted."""
    if any(quantities.phrase(words, i, "absolute zero") is not None for i in range(len(words))):
        cold = [c.name for c in draft.computations.values() if any("absolute zero" in r.expression for r in c.refuses)]
        return bool(cold) and draft.mark(*[("computation", name) for name in cold])
    return False


_REFUSED_WORDS: Final = lexicon.words("refuse reject error invalid forbidden disallow raise fail refused rejected")


def refused(words: Sequence[Token], draft: Draft) -> bool:
    """Read "negative amounts are refused", "an empty list is an error", "division by zero is an error"."""
    bag = computations.lemmas_of(words)
    refusing = (
        bag & _REFUSED_WORDS
        or ("allow" in bag and bag & lexicon.NEGATIONS)
        or ("accept" in bag and bag & lexicon.NEGATIONS)
    )
    if not refusing or not draft.computations or bag & {"first", "last", "former", "latter", "second", "both"}:
        return False
    marks = []
    for computation in list(draft.computations.values()):
        changed = _restricted(computation, bag)
        if changed is not None:
            draft.computations[computation.name] = changed
            marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


def _restricted(computation: Computation, bag: set[str]) -> Computation | None:
    """Give the computation with a further refusal; the same one when it refuses that already."""
    if "empty" in bag:
        return (
            computation
            if any(e.refused for e in computation.examples) and computation.parameters[0].type == FieldType.LIST
            else None
        )
    if "zero" in bag and bag & {"divide", "division"}:
        return computation if any("== 0" in (r.when or "") for r in computation.refuses) else None
    if "negative" in bag:
        numbers = [
            p for p in computation.parameters if p.type in {FieldType.NUMBER, FieldType.INTEGER, FieldType.DECIMAL}
        ]
        if not numbers or computation.algorithm:
            return computation if numbers and any(p.minimum is not None and p.minimum >= 0 for p in numbers) else None
        named = [p for p in numbers if p.name in bag or morphology.singular(p.name) in bag] or numbers
        fresh = tuple(
            Case(expression=f"The {p.name.replace('_', ' ')} must not be negative.", when=f"{p.name} < 0")
            for p in named
        )
        known = {r.when for r in computation.refuses}
        stronger = {f"{p.name} <= 0" for p in named} & {k for k in known if k}
        return computation.model_copy(
            update={
                "refuses": (
                    *computation.refuses,
                    *(c for c in fresh if c.when not in known and (c.when or "").replace("<", "<=") not in stronger),
                )
            }
        )
    if bag & {"invalid", "malformed"}:
        return computation if any(e.refused for e in computation.examples) else None
    return None


def bounded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "the height must be positive", "the discount must lie between 0 and 100"."""
    marks = []
    verb = next((i for i, t in enumerate(words) if t.low in lexicon.MODALS | lexicon.BE), None)
    if verb is None or verb == 0:
        return False
    nouns = {lemma for t in words[:verb] if t.is_word for lemma in (t.low, t.singular)}
    read_bound = next(
        (b for i in range(verb, len(words)) if (b := quantities.bound(words, i)) is not None and not b[0].exact), None
    )
    if read_bound is None:
        return False
    bound = read_bound[0]
    for computation in list(draft.computations.values()):
        named = [
            p
            for p in computation.parameters
            if set(p.name.split("_")) & nouns and p.type in {FieldType.NUMBER, FieldType.INTEGER}
        ]
        if not named or computation.algorithm:
            continue
        fresh = []
        for parameter in named:
            shown = parameter.name.replace("_", " ")
            if bound.low is not None:
                fresh.append(
                    Case(
                        expression=f"The {shown} must be {_more(open_end=bound.low_open)} {bound.low}.",
                        when=f"{parameter.name} {'<=' if bound.low_open else '<'} {bound.low}",
                    )
                )
            if bound.high is not None:
                fresh.append(
                    Case(
                        expression=f"The {shown} must be {'less than' if bound.high_open else 'at most'} {bound.high}.",
                        when=f"{parameter.name} {'>=' if bound.high_open else '>'} {bound.high}",
                    )
                )
        known = {r.when for r in computation.refuses}
        draft.computations[computation.name] = computation.model_copy(
            update={"refuses": (*computation.refuses, *(c for c in fresh if c.when not in known))}
        )
        marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


def _more(*, open_end: bool) -> str:
    return "greater than" if open_end else "at least"


def rounded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "results are rounded to two decimal places"."""
    bag = computations.lemmas_of(words)
    if not bag & {"round", "rounded"} or not draft.computations:
        return False
    places = next(
        (int(t.value) for t in words if t.value is not None and 0 <= t.value <= 9),
        0 if "whole" in bag or "integer" in bag or "nearest" in bag else 2,
    )
    marks = []
    for computation in list(draft.computations.values()):
        if computation.cases and computation.returns is FieldType.NUMBER:
            cases = tuple(
                c.model_copy(update={"expression": f"round({c.expression}, {places})"}) for c in computation.cases
            )
            draft.computations[computation.name] = computation.model_copy(update={"cases": cases})
            marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)
