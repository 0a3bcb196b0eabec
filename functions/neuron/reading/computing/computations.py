"""A computation while it is read: the words that name it, and how it is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon
from shared.software.algorithms import CATALOGUE
from shared.software.specification import Computation, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token
    from shared.software.specification import Example, Parameter
COMPUTING: Final = lexicon.words(
    "count convert compute calculate reverse check tell test validate verify generate encode decode encrypt "
    "decrypt sort return give print find determine transform translate turn take capitalise capitalize format "
    "report show output list add subtract multiply divide summarise summarize measure estimate get remove "
    "strip trim replace truncate wrap normalize normalise slugify work make produce provide support can have "
    "offer include do let display read accept analyse analyze answer split classify"
)
TYPES: Final = {"number": FieldType.NUMBER, "integer": FieldType.INTEGER}


def lemmas(token: Token) -> set[str]:
    """Give every form in which a word may be looked up, and what stands in front of its number: ISBN for ISBN-13."""
    stem, _, number = token.low.rpartition("-")
    parts = [stem] if number.isdigit() else []  # "ISBN-13"
    return {token.low, token.singular, *([token.verb] if token.verb else []), *parts}


def lemmas_of(tokens: Iterable[Token]) -> set[str]:
    """Give every form of every word."""
    return {lemma for token in tokens for lemma in lemmas(token)}


def note(draft: Draft, computation: Computation) -> bool:
    """Add a computation, unless the same one is there with cases of its own."""
    known = draft.computations.get(computation.name)
    if known is None or not known.cases:
        draft.computations[computation.name] = computation
    return draft.mark(("computation", computation.name))


def spelled_out(example: Example, parameters: Sequence[Parameter], defaults: Mapping[str, object]) -> Example:
    """Give a known result with the arguments that it left to defaults which are other ones now."""
    changed = [p for p in parameters if p.default is not None and defaults.get(p.name, p.default) != p.default]
    usual = {p.name: p.default for p in changed}
    return example.model_copy(update={"arguments": {**usual, **example.arguments}})


def algorithm(
    draft: Draft, name: str, defaults: dict[str, float | bool | str] | None = None, title: str | None = None
) -> bool:
    """Add a computation of the catalogue, with defaults for some of its parameters, unless there is no such one."""
    entry = CATALOGUE[name]
    parameters = tuple(
        p.model_copy(update={"default": defaults[p.name], "required": False}) if defaults and p.name in defaults else p
        for p in entry.parameters
    )
    examples = tuple(spelled_out(example, entry.parameters, defaults or {}) for example in entry.examples)
    return note(
        draft,
        Computation(
            name=title or name,
            parameters=parameters,
            returns=entry.returns,
            items=entry.items,
            algorithm=name,
            examples=examples,
            description=entry.summary,
        ),
    )
