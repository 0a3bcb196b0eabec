"""Reads formulas that a request writes out: "the tip is 15% of the bill", with what holds if something is so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, lexicon, morphology, quantities
from functions.neuron.reading.computing import computations
from shared.software.specification import Case, Computation, FieldType, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


_STATED_WORDS: Final = lexicon.words("is equals = are as by using from")


def written_out(words: Sequence[Token], draft: Draft) -> bool:
    """Read "the tip is 15% of the bill", "calculates BMI as weight divided by height squared"."""
    for i, token in enumerate(words):
        if i == 0 or not (token.low in _STATED_WORDS or token.text == "="):
            continue
        start = i + 1
        for passed in (
            "calculated as",
            "computed as",
            "defined as",
            "given by",
            "equal to",
            "calculated by",
            "the result of",
            "calculated from",
        ):
            start = quantities.phrase(words, start, passed) or start
        read_formula = formulas.read(words[start:])
        if read_formula is None or not read_formula[0].operators or not read_formula[0].names:
            continue
        formula, end = read_formula
        end += start
        name = _subject_name(words[:i])
        if name is None or name in formula.names:
            continue
        cases = _cases(words, end, formula)
        if cases is None:
            continue
        names, made, end = cases
        parameters = tuple(Parameter(name=n, type=FieldType.NUMBER) for n in names)
        computation = Computation(
            name=name,
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=made,
            description=f"Compute the {name.replace('_', ' ')}",
        )
        if any(t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS for t in words[end:]):
            draft.leave(words[end:], "this part of the formula was not understood")
        return computations.note(draft, computation)
    return False


_SUBJECT_NAME_WORDS: Final = lexicon.words(
    "calculate compute return work determine give estimate find get output print"
)


def _subject_name(tokens: Sequence[Token]) -> str | None:
    """Name the result: what stands before "is" or behind "calculates"."""
    start = next(
        (i + 1 for i, t in enumerate(tokens) if t.verb in _SUBJECT_NAME_WORDS),
        0,
    )
    start = 0 if start == len(tokens) else start
    words: list[str] = []
    for token in tokens[start:]:
        if token.low in lexicon.PREPOSITIONS | {"is", "that", "which"} or token.text in {",", "("}:
            break
        if token.is_word and token.low not in lexicon.DETERMINERS | lexicon.ADVERBS | {"out"}:
            words.append(token.low)
    return morphology.name(*words) if 0 < len(words) <= 5 else None


def _cases(words: Sequence[Token], end: int, first: formulas.Formula) -> tuple[list[str], tuple[Case, ...], int] | None:
    """Read "… if the total is over 100, otherwise …" behind a formula."""
    if end >= len(words) or words[end].low not in {"if", "when", "for"}:
        return first.names, (Case(expression=first.text),), end
    condition = _condition(words, end + 1, first.names)
    if condition is None:
        return first.names, (Case(expression=first.text),), end
    when, at = condition
    while at < len(words) and (words[at].text in {",", ";"} or words[at].low in {"and", "otherwise", "else", "or"}):
        at += 1
    rest = formulas.read(words[at:], first.names)
    if rest is None:
        return None
    names = list(dict.fromkeys([*first.names, *rest[0].names]))
    return names, (Case(expression=first.text, when=when), Case(expression=rest[0].text)), at + rest[1]


def _condition(words: Sequence[Token], at: int, names: Sequence[str]) -> tuple[str, int] | None:
    for end in range(at, min(at + 8, len(words))):
        read_bound = quantities.bound(words, end)
        if read_bound is None or read_bound[0].exact:
            continue
        name = morphology.name(
            *[t.low for t in words[at:end] if t.is_word and t.low not in lexicon.DETERMINERS | lexicon.BE]
        )
        known = next(
            (n for n in names if n == name or n.endswith(name) or name.endswith(n) or morphology.singular(name) == n),
            None,
        ) or (names[0] if end == at else None)
        if known is None:
            return None
        bound = read_bound[0]
        parts = []
        if bound.low is not None:
            parts.append(f"{known} {'>' if bound.low_open else '>='} {bound.low}")
        if bound.high is not None:
            parts.append(f"{known} {'<' if bound.high_open else '<='} {bound.high}")
        return " and ".join(parts), read_bound[1]
    return None
