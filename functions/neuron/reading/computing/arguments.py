"""Reads what is said of the arguments of computations: what is refused, their bounds, how results are rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, lexicon, morphology, quantities
from functions.neuron.reading.computing import catalogued, computations, further
from shared.software.specification import Case, Computation, FieldType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token
    from shared.software.specification import Example


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
    marks = _out_of_range(words, draft)
    for computation in _spoken_of(bag, draft):
        changed = _restricted(computation, bag)
        if changed is not None:
            draft.computations[computation.name] = changed
            marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


_DIMENSIONS: Final = {
    "length": "length", "distance": "length", "weight": "mass", "mass": "mass", "volume": "volume", "area": "area",
    "temperature": "temperature", "speed": "speed", "duration": "time",
}  # fmt: skip


def _spoken_of(bag: set[str], draft: Draft) -> list[Computation]:
    """Give the computations that words restrict: conversions of "lengths" where these are named, all otherwise."""
    everything = list(draft.computations.values())
    named = {dimension for word, dimension in _DIMENSIONS.items() if word in bag}
    of_named = [c for c in everything if any(_dimension(p.name) in named for p in c.parameters)]
    return of_named or everything


def _dimension(parameter: str) -> str | None:
    """Give what a parameter measures that is called after its unit."""
    known = formulas.UNIT_WORDS.get(parameter)
    return known[0] if known is not None else None


def _out_of_range(words: Sequence[Token], draft: Draft) -> list[tuple[str, str]]:
    """Refuse what a clause says is refused: "a width below 10 is refused"; gives the marks of what does so."""
    first, found = _open_bounds(words)
    if not found:
        return []
    nouns = {lemma for t in words[:first] if t.is_word for lemma in (t.low, t.singular)}
    marks = []
    for computation in list(draft.computations.values()):
        for parameter in computation.parameters:
            if (parameter.name in nouns or not first) and parameter.type in _NUMERIC:
                _refuse(draft, computation.name, parameter.name, found)
                marks.append(("computation", computation.name))
    return marks


def _open_bounds(words: Sequence[Token]) -> tuple[int, list[quantities.Bound]]:
    """Give the bounds that are open on one side, and where the first of them begins."""
    found: list[quantities.Bound] = []
    first, i = -1, 0
    while i < len(words):
        read_bound = quantities.bound(words, i)
        signed = words[i].low in _SIGNS  # "negative lengths" say which, and not of what
        if signed or read_bound is None or read_bound[0].exact or None not in {read_bound[0].low, read_bound[0].high}:
            i += 1
            continue
        first = i if first < 0 else first
        found.append(read_bound[0])
        i = read_bound[1]
    return first, found


_SIGNS: Final = frozenset({"negative", "positive", "non-negative", "nonnegative"})
_NUMERIC: Final = frozenset({FieldType.NUMBER, FieldType.INTEGER, FieldType.DECIMAL})


def _refuse(draft: Draft, name: str, parameter: str, bounds: Sequence[quantities.Bound]) -> None:
    """Let a computation refuse the values within bounds, and forget the known results for these."""
    computation = draft.computations[name]
    cases = [_outside(parameter, bound) for bound in bounds]
    kept = [e for e in computation.examples if e.refused or not any(_within(e, parameter, b) for b in bounds)]
    draft.computations[name] = _refusing(computation, cases).model_copy(update={"examples": tuple(kept)})


def _refusing(computation: Computation, cases: Sequence[Case]) -> Computation:
    """Give the computation with further refusals, each once."""
    known = {r.when for r in computation.refuses}
    fresh = [case for case in cases if case.when not in known]
    return computation.model_copy(update={"refuses": (*computation.refuses, *fresh)})


def _outside(parameter: str, bound: quantities.Bound) -> Case:
    """Give the refusal of the values within a bound that is open on one side."""
    upper = bound.low is None
    sign = ("<" if bound.high_open else "<=") if upper else (">" if bound.low_open else ">=")
    return _refused_when(parameter, sign, bound.high if upper else bound.low)


_MUST_BE: Final = {"<": "at least", "<=": "greater than", ">": "at most", ">=": "less than"}


def _refused_when(parameter: str, sign: str, limit: float | None) -> Case:
    """Give the refusal of the values for which a comparison holds, which says what they must be instead."""
    shown = parameter.replace("_", " ")
    return Case(expression=f"The {shown} must be {_MUST_BE[sign]} {limit}.", when=f"{parameter} {sign} {limit}")


def _within(example: Example, parameter: str, bound: quantities.Bound) -> bool:
    value = example.arguments.get(parameter)
    if not isinstance(value, int | float):
        return False
    if bound.high is not None:
        return value < bound.high or (value == bound.high and not bound.high_open)
    return bound.low is not None and (value > bound.low or (value == bound.low and not bound.low_open))


def used(words: Sequence[Token], draft: Draft) -> bool:
    """Read how a computation is called: "it reads a file or standard input", "a given width, 80 by default"."""
    made = [c for c in draft.computations.values() if c.algorithm]
    known = {word for c in made for word in catalogued.SPOKEN[c.algorithm or ""]} | _OF_FILES
    if not made or further.unfound([t for t in words if t.low not in _OF_FILES], known):
        return False
    marks = _read_files(words, draft) + _defaulted(words, draft)
    return bool(marks) and draft.mark(*marks)


_OF_FILES: Final = lexicon.words("file files stdin standard input read reads path name")


def _read_files(words: Sequence[Token], draft: Draft) -> list[tuple[str, str]]:
    """Let the programs that work on a text read it from a file or from standard input."""
    lows = {t.low for t in words}
    named = {"file", "stdin"} & lows or any(quantities.phrase(words, i, "standard input") for i in range(len(words)))
    if draft.kind is not Kind.COMMAND_LINE or not named or not any(t.verb in {"read", "take"} for t in words):
        return []
    names = [c.name for c in draft.computations.values() if c.parameters[0].type is FieldType.TEXT]
    draft.reads_file.update(names)
    return [("computation", name) for name in names]


def _defaulted(words: Sequence[Token], draft: Draft) -> list[tuple[str, str]]:
    """Give a parameter the value that it has when it is left out."""
    at = next((i for i, t in enumerate(words) if t.low in {"default", "defaults", "defaulting"}), None)
    numbers = [t.value for t in words[max(0, (at or 0) - 2) : (at or 0) + 4] if t.value is not None]
    if at is None or len(numbers) != 1 or not float(numbers[0]).is_integer():
        return []
    nouns = {lemma for t in words if t.is_word for lemma in (t.low, t.singular)}
    marks = []
    for computation in list(draft.computations.values()):
        named = {p.name for p in computation.parameters if p.name in nouns and p.type is FieldType.INTEGER}
        if named:
            given = {"default": int(numbers[0]), "required": False}
            parameters = [p.model_copy(update=given) if p.name in named else p for p in computation.parameters]
            changed = dict.fromkeys(named, int(numbers[0]))
            examples = [computations.spelled_out(e, computation.parameters, changed) for e in computation.examples]
            draft.computations[computation.name] = computation.model_copy(
                update={"parameters": tuple(parameters), "examples": tuple(examples)}
            )
            marks.append(("computation", computation.name))
    return marks


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
    nouns |= {"percent"} if "percentage" in nouns else set()
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
            if _spoken_of_parameter(p.name, nouns) and p.type in {FieldType.NUMBER, FieldType.INTEGER}
        ]
        if not named or computation.algorithm:
            continue
        fresh = []
        for parameter in named:
            if bound.low is not None:
                fresh.append(_refused_when(parameter.name, "<=" if bound.low_open else "<", bound.low))
            if bound.high is not None:
                fresh.append(_refused_when(parameter.name, ">=" if bound.high_open else ">", bound.high))
        draft.computations[computation.name] = _refusing(computation, fresh)
        marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


_ALL: Final = frozenset({"value", "number", "argument", "input", "parameter", "dimension", "measurement"})
_LENGTHS: Final = lexicon.words("radius side base height width depth diameter length distance edge perimeter")


def _spoken_of_parameter(name: str, nouns: set[str]) -> bool:
    """Whether nouns speak of a parameter: by its name, as "all values", or as "all lengths"."""
    everything = bool({"all", "every", "any"} & nouns)
    return bool(set(name.split("_")) & nouns) or (
        everything and bool(_ALL & nouns or ("length" in nouns and name in _LENGTHS))
    )


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
