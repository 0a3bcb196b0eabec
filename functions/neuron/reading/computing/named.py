"""Reads computations that people know by a name: arithmetic, areas, a body mass index, a loan's payment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, lexicon, quantities
from functions.neuron.reading.computing import computations, further
from functions.neuron.reading.tokens import Kind as TokenKind
from shared.software.specification import Case, Computation, FieldType, Kind, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


def arithmetic(words: Sequence[Token], draft: Draft) -> bool:
    """Read "a calculator that adds, subtracts, multiplies and divides two numbers"."""
    lows = {token.low for token in words}
    verbs = [t.verb for t in words if t.verb in formulas.ARITHMETIC] + [
        formulas.ARITHMETIC_NOUNS[t.low] for t in words if t.low in formulas.ARITHMETIC_NOUNS
    ]
    context = {"number", "numbers", "calculator", "arithmetic", "integers"} & lows
    if not context or {"date", "dates"} & lows or len(set(verbs)) < 1 or (len(set(verbs)) == 1 and "two" not in lows):
        return False
    found = False
    for verb in dict.fromkeys(verbs):
        found = _formula(draft, formulas.ARITHMETIC[verb or ""], {}) or found
    return found


def _formula(draft: Draft, known: formulas.Known, defaults: dict[str, float]) -> bool:
    parameters = tuple(
        Parameter(
            name=name,
            type=computations.TYPES[kind],
            required=(value := defaults.get(name, default)) is None,
            default=value,
        )
        for name, kind, default in known.parameters
    )
    refuses = tuple(Case(expression=message, when=when) for when, message in known.refuses)
    cases = _LOANS.get(known.name) or (Case(expression=known.expression),)
    return computations.note(
        draft,
        Computation(
            name=known.name,
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=cases,
            refuses=refuses,
            description=known.description,
        ),
    )


_PAYMENT: Final = "principal * (annual_rate / 1200) / (1 - (1 + annual_rate / 1200) ** -months)"
_LOANS: Final = {
    "loan_payment": (Case(expression="principal / months", when="annual_rate == 0"), Case(expression=_PAYMENT)),
    "loan_interest": (
        Case(expression="0", when="annual_rate == 0"),
        Case(expression=f"months * ({_PAYMENT}) - principal"),
    ),
}


@dataclass(frozen=True)
class Segment:
    """A part of an enumeration: its words, their forms, and these with what it shares with the parts before it."""

    words: tuple[Token, ...]
    own: set[str]
    whole: set[str]


def segments(words: Sequence[Token], led: Iterable[str] = ()) -> list[Segment]:
    """Cut at commas and conjunctions. `led`: verbs of what stands in front ("a library to validate: emails, …")."""
    parts: list[list[Token]] = [[]]
    for i, token in enumerate(words):
        if token.low in {"command", "line"} and any(
            quantities.phrase(words, j, "command line") is not None for j in (i, i - 1) if j >= 0
        ):
            continue
        if token.text in {",", ";", ":"} or token.low in {"and", "or", "plus", "also", "then"}:
            parts.append([])
        elif token.kind is not TokenKind.PUNCTUATION:
            parts[-1].append(token)
    parts = [part for part in parts if part]
    found: list[Segment] = []
    shared: set[str] = set(led)
    for part in parts:
        verbs = {t.verb for t in part if t.verb in computations.COMPUTING and t.low != "number"}
        if verbs:
            shared = {v for v in verbs if v}
        if any(t.low == "number" for t in part) and any(t.low == "of" for t in part):
            shared |= {"number", "of"}
        own = computations.lemmas_of(part)
        found.append(Segment(tuple(part), own, own | shared))
    return found


_SHAPED: Final = lexicon.words("area volume perimeter circumference surface diagonal")


def _of_shape(words: Sequence[Token], alternative: str) -> bool:
    """Whether the figure of a shape is asked for: not its area in "the area of a circle and the perimeter of a box"."""
    figure, _, shape = alternative.partition(" ")
    if figure not in _SHAPED or not shape:
        return True
    spoken: set[str] = set()
    behind_shape = False
    for i, token in enumerate(words):
        if token.singular in _SHAPED:
            spoken = {token.singular} if behind_shape else spoken | {token.singular}
            behind_shape = False
        elif token.singular in _SHAPES:
            following = words[i + 1].singular if i + 1 < len(words) else ""
            behind_shape = following not in _SHAPED  # "the circle area"
            if token.singular in shape.split() and figure in spoken | {following}:
                return True
    return False


_SHAPES: Final = frozenset(
    word
    for known in formulas.KNOWN
    for alternative in known.words
    if alternative.partition(" ")[0] in _SHAPED
    for word in alternative.split()[1:]
)


_LEAST_TOLD: Final = 2


def by_name(words: Sequence[Token], draft: Draft) -> bool:
    """Read formulas by their names: "BMI", "the area of a circle", "a tip"."""
    found = False
    left: list[Sequence[Token]] = []
    bag = computations.lemmas_of(words)
    given = further.given(words)  # what stands in front of it names arguments
    told = computations.lemmas_of(t for t in words if t.start >= given)
    best: dict[frozenset[str], formulas.Known] = {}
    for known in formulas.KNOWN:
        for alternative in known.words:
            wanted = frozenset(alternative.split())
            if wanted <= bag and _of_shape(words, alternative) and len(wanted & told) >= min(_LEAST_TOLD, len(wanted)):
                best[wanted] = known
    for wanted, known in best.items():
        if any(wanted < other for other in best) or (known.name == "tip" and draft.kind is Kind.API):
            continue
        part = next((part.words for part in segments(words) if wanted <= part.own), ())
        if further.otherwise(part, further.of_formula(known)):
            left.append(part)
            continue
        meant = formulas.TAX_AMOUNT if known.name == "price_with_tax" and _tax_alone(words) else known
        found = _formula(draft, meant, _percentage(words, meant)) or found
    for said in left if found else ():
        draft.leave(said, further.NOTHING)
    return found


def _tax_alone(words: Sequence[Token]) -> bool:
    """Whether the tax itself is asked for: "the VAT of a net price", not "the price with VAT"."""
    at = next((i for i, t in enumerate(words[:-1]) if t.low in {"vat", "tax"}), None)
    if (
        at is None
        or words[at + 1].low not in {"of", "on", "for"}
        or any(t.value is not None for t in words[at + 2 : at + 3])
    ):
        return False
    before = next((t.low for t in reversed(words[:at]) if t.low not in {"the", "sales", "a"}), "")
    return before not in {"with", "including", "plus", "and", "add", "adds", "without", "of"}


def _percentage(words: Sequence[Token], known: formulas.Known) -> dict[str, float]:
    if not any(name == "percent" for name, _, _ in known.parameters):
        return {}
    value = next(
        (
            t.value
            for i, t in enumerate(words)
            if t.kind is TokenKind.PERCENT
            or (t.value is not None and i + 1 < len(words) and words[i + 1].low in {"percent", "%"})
        ),
        None,
    )
    return {"percent": value} if value is not None else {}
