"""A computation while it is read: the words that name it, and how it is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon
from shared.software.algorithms import CATALOGUE
from shared.software.specification import Computation, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token
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


def algorithm(
    draft: Draft, name: str, defaults: dict[str, float | bool | str] | None = None, title: str | None = None
) -> bool:
    """Add a computation of the catalogue, with defaults for some of its parameters, unless there is no such one."""
    entry = CATALOGUE[name]
    parameters = tuple(
        p.model_copy(update={"default": defaults[p.name], "required": False}) if defaults and p.name in defaults else p
        for p in entry.parameters
    )
    examples = entry.examples if not defaults else ()
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
