"""Reads questions about a number that are answered by yes or no: "whether a number is a multiple of 7".

A question is a word that asks ("whether", "if"), what it is about, and a property: even, odd, positive, negative, zero,
a multiple of, divisible by, or a bound. Promises: a computation only where a known property stands right behind "is";
what a request says of more than one number ("a multiple of another number") has a parameter for each.
Does not read properties that take an algorithm (prime, perfect): the catalogue of algorithms names these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from shared.software.specification import Case, Computation, FieldType, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token

_PLAIN: Final = {
    "even": ("{0} % 2 == 0", FieldType.INTEGER),
    "odd": ("{0} % 2 != 0", FieldType.INTEGER),
    "positive": ("{0} > 0", FieldType.NUMBER),
    "negative": ("{0} < 0", FieldType.NUMBER),
    "zero": ("{0} == 0", FieldType.NUMBER),
}
_MULTIPLES: Final = (
    "a multiple of",
    "multiple of",
    "a multiple",
    "divisible by",
    "evenly divisible by",
    "dividable by",
)
_ASKING: Final = lexicon.words("tell check test say determine see verify find decide")
_LONGEST: Final = 4


def read(words: Sequence[Token], draft: Draft) -> bool:
    """Read the questions of a clause; True when there is one that is understood."""
    starts = [
        i
        for i, token in enumerate(words)
        if token.low == "whether" or (token.low == "if" and i and words[i - 1].verb in _ASKING)
    ]
    found = [_question(words[start + 1 :], draft) for start in starts]
    return any(found)


def _question(words: Sequence[Token], draft: Draft) -> bool:
    be = next((i for i, t in enumerate(words[: _LONGEST + 1]) if t.low in {"is", "are", "be"}), None)
    if be is None:
        return False
    noun = next((t.singular for t in reversed(words[:be]) if t.is_word and t.low not in lexicon.DETERMINERS), "it")
    if draft.known([noun]) is not None:
        return False
    name = "number" if noun in {"it", "integer"} else morphology.name(noun)
    made = _properties(words, be + 1, name)
    for computation in made:
        draft.computations.setdefault(computation.name, computation)
        draft.mark(("computation", computation.name))
    return bool(made)


def _properties(words: Sequence[Token], at: int, name: str) -> list[Computation]:
    """Read "even or odd", "a multiple of 3 and of 5" up to what is no property."""
    found: list[Computation] = []
    while at < len(words):
        read_one = _property(words, at, name)
        if read_one is None:
            break
        found.append(read_one[0])
        at = read_one[1]
        while at < len(words) and words[at].low in {"and", "or", ",", "whether", "if", "is", "it"}:
            at += 1
    return found


def _property(words: Sequence[Token], at: int, name: str) -> tuple[Computation, int] | None:
    if words[at].low in _PLAIN:
        expression, kind = _PLAIN[words[at].low]
        return _made(f"is_{words[at].low}", expression.format(name), [_parameter(name, kind)]), at + 1
    behind = quantities.any_phrase(words, at, _MULTIPLES)
    if behind is not None:
        return _multiple(words, behind, name)
    return _bounded(words, at, name)


def _multiple(words: Sequence[Token], at: int, name: str) -> tuple[Computation, int] | None:
    number = quantities.number(words, at)
    whole = _parameter(name, FieldType.INTEGER)
    if number is not None and float(number[0]).is_integer() and number[0] > 0:
        divisor = int(number[0])
        return _made(f"is_multiple_of_{divisor}", f"{name} % {divisor} == 0", [whole]), number[1]
    if at < len(words) and words[at].low in {"another", "a", "the", "some", "any", "one"}:
        end = next((i for i in range(at, len(words)) if words[i].low in {",", "and", "or"}), len(words))
        refused = (Case(expression="The divisor must not be zero.", when="divisor == 0"),)
        made = _made("is_multiple", f"{name} % divisor == 0", [whole, _parameter("divisor", FieldType.INTEGER)])
        return made.model_copy(update={"refuses": refused}), end
    return None


def _bounded(words: Sequence[Token], at: int, name: str) -> tuple[Computation, int] | None:
    """Read "between 1 and 10", "greater than 100"."""
    bound = quantities.bound(words, at)
    if bound is None or bound[0].exact:
        return None
    limits, parts, said = bound[0], [], []
    if limits.low is not None:
        parts.append(f"{name} {'>' if limits.low_open else '>='} {limits.low:g}")
        said.append(f"{'above' if limits.low_open else 'at_least'}_{limits.low:g}")
    if limits.high is not None:
        parts.append(f"{name} {'<' if limits.high_open else '<='} {limits.high:g}")
        said.append(f"{'below' if limits.high_open else 'at_most'}_{limits.high:g}")
    if limits.low is not None and limits.high is not None and not (limits.low_open or limits.high_open):
        said = [f"between_{limits.low:g}_and_{limits.high:g}"]
    title = morphology.name("is", *[part.replace(".", "_").replace("-", "minus_") for part in said])
    return _made(title, " and ".join(parts), [_parameter(name, FieldType.NUMBER)]), bound[1]


def _parameter(name: str, kind: FieldType) -> Parameter:
    return Parameter(name=name, type=kind)


def _made(name: str, expression: str, parameters: list[Parameter]) -> Computation:
    about = name.removeprefix("is_").replace("_", " ").replace("multiple", "a multiple")
    return Computation(
        name=name,
        parameters=tuple(parameters),
        returns=FieldType.BOOLEAN,
        cases=(Case(expression=expression),),
        description=f"Tell whether the {parameters[0].name.replace('_', ' ')} is {about}",
    )
