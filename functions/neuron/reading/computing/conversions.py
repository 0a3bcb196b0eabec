"""Reads conversions between units: "converts miles to kilometres and back"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, morphology, quantities
from functions.neuron.reading.computing import computations
from shared.software.specification import Case, Computation, FieldType, Kind, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


def conversion(words: Sequence[Token], draft: Draft) -> bool:
    """Read "converts miles to kilometres", "between Celsius, Fahrenheit and Kelvin"."""
    bag = computations.lemmas_of(words)
    everything = computations.lemmas_of(token for clause in draft.clauses for token in clause.tokens)
    if not (bag | everything) & {"convert", "conversion", "converter"}:
        return False
    back = _and_back_said(words)
    pairs = _unit_pairs(words)
    for source, target in pairs:
        _convert(draft, source, target)
        if back:
            _convert(draft, target, source)
    if pairs:
        _leave_unconverted(words, draft)
        return True
    named = _units_named(words)
    if (
        not named
        and bag & {"temperature"}
        and (bag & {"convert", "conversion", "converter"} or draft.clauses[draft.at].intro)
    ):
        return _convert(draft, "celsius", "fahrenheit") and _convert(draft, "fahrenheit", "celsius")
    done = [
        _convert_among(draft, dimension, named, both=back or "between" in bag or not {"to", "into"} & bag)
        for dimension in dict.fromkeys(d for _, (d, _) in named)
    ]
    return any(done)


def _leave_unconverted(words: Sequence[Token], draft: Draft) -> None:
    """Say of each "litres to US gallons" whose units are unknown that nothing computes it."""
    start = 0
    for end in [*(i for i, t in enumerate(words) if t.text in {",", ";"} or t.low == "and"), len(words)]:
        part = [t for t in words[start:end] if t.is_word]
        if {t.low for t in part[1:-1]} & {"to", "into"}:
            units = [unit for _, unit in _units_named(part)]
            alike = len(units) == _PAIR and units[0][0] == units[1][0] and units[0] != units[1]
            if not (alike and _convert(draft, units[0][1], units[1][1])):
                draft.leave(part, "Nothing that HAL9 knows computes this.")
        start = end + 1


_PAIR: Final = 2
_BACK: Final = frozenset({"back", "backwards", "versa", "vice", "reverse", "inverse", "both"})
_ROUND: Final = ("other way round", "other way around", "other way about", "other direction", "either direction")


def _and_back_said(words: Sequence[Token]) -> bool:
    """Whether each conversion is wanted in the other direction as well: "and back", "and the other way round"."""
    spoken = any(quantities.phrase(words, i, said) is not None for i in range(len(words)) for said in _ROUND)
    return spoken or bool(_BACK & computations.lemmas_of(words))


_SPEEDS: Final = {
    "kilometres per hour": "kilometres_per_hour",
    "kilometers per hour": "kilometres_per_hour",
    "miles per hour": "miles_per_hour",
    "metres per second": "metres_per_second",
    "meters per second": "metres_per_second",
}
_Named = list[tuple[int, tuple[str, str]]]  # position, (dimension, unit)


def _units_named(words: Sequence[Token]) -> _Named:
    """Find the units that are named, in order."""
    plain = [(i, formulas.UNIT_WORDS.get(t.low.replace("-", "_"))) for i, t in enumerate(words)]
    speeds = [
        (i, ("speed", u)) for i in range(len(words)) for w, u in _SPEEDS.items() if quantities.phrase(words, i, w)
    ]
    return sorted([(i, unit) for i, unit in plain if unit is not None] + speeds)


def _convert_among(draft: Draft, dimension: str, named: _Named, *, both: bool) -> bool:
    """Convert between the units of one dimension."""
    units = list(dict.fromkeys(unit for _, (d, unit) in named if d == dimension))
    if len(units) < 2 and dimension == "temperature":
        units = ["celsius", "fahrenheit"]
    if len(units) > 2:
        return _convert_all(draft, dimension, units)
    if len(units) < 2:
        return False
    if both or _and_back(units, named):
        _convert(draft, units[1], units[0])
    return _convert(draft, units[0], units[1])


def _unit_pairs(words: Sequence[Token]) -> list[tuple[str, str]]:
    """Read "metres to feet, kilometres to miles"."""
    found = []
    for i in range(1, len(words) - 1):
        source = formulas.UNIT_WORDS.get(words[i - 1].low)
        target = formulas.UNIT_WORDS.get(words[i + 1].low)
        if words[i].low in {"to", "into"} and source and target and source[0] == target[0] and source != target:
            found.append((source[1], target[1]))
    return found


def _and_back(units: Sequence[str], named: Sequence[tuple[int, tuple[str, str]]]) -> bool:
    order = [unit for _, (_, unit) in sorted(named) if unit in units]
    return order[1:3] == [units[1], units[1]] or len(order) >= 4


def _convert(draft: Draft, source: str, target: str) -> bool:
    parameter = Parameter(name=source, type=FieldType.NUMBER)
    expression = formulas.conversion(source, target, source)
    refuses = _too_cold(source, source) or (Case(expression="The value must not be negative.", when=f"{source} < 0"),)
    computation = Computation(
        name=morphology.name(source, "to", target),
        parameters=(parameter,),
        returns=FieldType.NUMBER,
        cases=(Case(expression=expression),),
        refuses=refuses,
        description=f"Convert {source.replace('_', ' ')} to {target.replace('_', ' ')}",
    )
    return computations.note(draft, computation)


def _too_cold(unit: str, name: str) -> tuple[Case, ...]:
    zero = formulas.ABSOLUTE_ZERO.get(unit)
    return (Case(expression="That is below absolute zero.", when=f"{name} < {zero}"),) if zero else ()


def _convert_all(draft: Draft, dimension: str, units: Sequence[str]) -> bool:
    """One function for all pairs of three units or more."""
    parameters = (
        Parameter(name="value", type=FieldType.NUMBER),
        Parameter(name="source", type=FieldType.ENUM, values=tuple(units), description="The unit to convert from."),
        Parameter(name="target", type=FieldType.ENUM, values=tuple(units), description="The unit to convert to."),
    )
    pairs = [(s, t) for s in units for t in units if s != t]
    cases = (
        *(
            Case(expression=formulas.conversion(s, t, "value"), when=f"source == '{s}' and target == '{t}'")
            for s, t in pairs
        ),
        Case(expression="value"),
    )
    refuses = tuple(
        Case(expression=c.expression, when=f"source == '{u}' and ({c.when})")
        for u in units
        for c in _too_cold(u, "value")
    )
    if not refuses:
        refuses = (Case(expression="The value must not be negative.", when="value < 0"),)
    found = computations.note(
        draft,
        Computation(
            name=morphology.name("convert", dimension),
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=cases,
            refuses=refuses,
            description=f"Convert a {dimension} from one unit to another",
        ),
    )
    if draft.kind is Kind.LIBRARY and len(units) == 3:
        for source, target in pairs:
            _convert(draft, source, target)
    return found
