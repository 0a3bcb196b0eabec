"""Reads how far apart things must lie: "at most once every 56 days", "at least 56 days apart"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import (
    closing,
    conditions,
    morphology,
    quantities,
    rules,
)
from functions.neuron.reading.draft import DraftField
from shared.software.specification import (
    Derivation,
    FieldType,
    NoOverlapRule,
)

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading


def apart(r: Reading, draft: Draft) -> bool:
    """Read "at most once every 56 days", "at least 56 days apart": no two lie within that time of one another.

    Each thing covers the time from its own date until that many days later, and these times do not overlap.
    """
    length = _interval_length(r)
    if length is None:
        return False
    found = _spaced(r, draft)
    if found is None:
        return False
    entity, reference = found
    dates = [f for f in entity.fields.values() if conditions.kind_of(f) in conditions.DATED and not f.managed]
    if len(dates) > 1:
        return False
    start = dates[0] if dates else entity.add(DraftField(f"{entity.name}_date", FieldType.DATE))
    start.type, start.immutable = conditions.kind_of(start), True
    end = entity.add(
        DraftField("next_possible_date" if start.type is FieldType.DATE else "next_possible_at", start.type)
    )
    end.managed, end.required, end.description = True, True, "From when on the next one may be there."
    entity.derivations[end.name] = Derivation(field=end.name, base=start.name, days=length.days, hours=length.hours)
    rule = NoOverlapRule(
        name=morphology.name(entity.name, reference, "apart"),
        entity=entity.name,
        message=rules.sentence(r.words, draft.request),
        start=start.name,
        end=end.name,
        per=(reference,),
        when=conditions.running(entity),
    )
    return draft.mark(draft.add_rule(rule), ("field", entity.name, end.name), ("derivation", entity.name, end.name))


def _interval_length(r: Reading) -> quantities.Duration | None:
    """Give the time that must lie between two: behind "once every", "once in", or in front of "apart"."""
    for i in range(len(r.words)):
        once = quantities.phrase(r.words, i, "once every") or quantities.phrase(r.words, i, "once in")
        read = quantities.duration(r.words, once) if once is not None else None
        if read is not None and quantities.is_number(r.words[once or 0]):
            return read[0]
        least = quantities.phrase(r.words, i, "at least")
        read = quantities.duration(r.words, least) if least is not None else None
        if read is not None and read[1] < len(r.words) and r.words[read[1]].low == "apart":
            return read[0]
    return None


def _spaced(r: Reading, draft: Draft) -> tuple[DraftEntity, str] | None:
    """Give what is spaced, and the field that says for whom: the donations of a donor."""
    mentioned = [m.entity for m in (*r.subjects, *r.objects)]
    for entity in draft.entities.values():
        owner = next((f for other in mentioned if (f := entity.reference_to(other.name))), None)
        made = any(closing.makes(verb, entity) for verb in r.frame.group.verbs)
        if owner is not None and (made or entity in mentioned):
            return entity, owner.name
    return None
