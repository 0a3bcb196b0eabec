"""Closes fields that are named as things are: they refer to them."""

from __future__ import annotations

from functions.neuron.reading import inference, morphology
from functions.neuron.reading.declarations import GENERIC
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from shared.software.specification import FieldType


def owners(draft: Draft, entity: DraftEntity) -> None:
    """Let what is "unique on its floor" refer to the floor."""
    for item in list(entity.fields.values()):
        for word in item.unique_per:
            target = draft.entities.get(word)
            if target is not None and target is not entity and entity.reference_to(word) is None:
                known = entity.fields.get(word)
                if known is None:
                    entity.add(DraftField(word, FieldType.REFERENCE, target=word))


def refer(draft: Draft, entity: DraftEntity) -> None:
    """Turn fields that are named like an entity into references."""
    for item in entity.fields.values():
        if (
            item.type is not None
            or item.values
            or item.minimum is not None
            or item.max_length
            or item.default is not None
        ):
            continue
        words = item.name.split("_")
        if words[-1] == "id" and len(words) > 1:
            words = words[:-1]
        target = draft.entities.get(morphology.name(*item.role_of)) if item.role_of else None
        target = target or draft.entities.get("_".join(words)) or _suffix(draft, words) or _longer(draft, item, entity)
        if target is not None and (target is not entity or len(words) > 1 or item.role_of):
            item.type, item.target = FieldType.REFERENCE, target.name
            item.required = False if target is entity else item.required


def _longer(draft: Draft, item: DraftField, entity: DraftEntity) -> DraftEntity | None:
    """Give the one thing that is called so for short: the "part" of a withdrawal where spare parts are kept."""
    if item.unique or inference_would_type([item.name]) or item.name in GENERIC:
        return None
    found = [e for e in draft.entities.values() if e.name.endswith(f"_{item.name}") and e is not entity and e.fields]
    return found[0] if len(found) == 1 else None


def _suffix(draft: Draft, words: list[str]) -> DraftEntity | None:
    if inference_would_type(words):
        return None
    return next(
        (draft.entities["_".join(words[i:])] for i in range(1, len(words)) if "_".join(words[i:]) in draft.entities),
        None,
    )


def inference_would_type(words: list[str]) -> bool:
    """Whether the name alone tells a type other than a line of text."""
    probe = DraftField("_".join(words))
    inference.complete(probe)
    return probe.type is not FieldType.STRING
