"""Reads how much of something a thing takes, in a sentence of its own: "a session lasts 30, 45 or 60 minutes".

One bare number ("a session lasts 60 minutes") is left to the readers of rules: it may say when something ends. So are
bounds of how long something lasts, which may be a rule of its dates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import quantities
from functions.neuron.reading.declarations import naming
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import measures
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.reading import frames
    from functions.neuron.reading.declarations.references import Open
    from functions.neuron.reading.draft import Draft


def numbered(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "steps are numbered from 1": each has a number."""
    del later
    names = [name for name in naming.subject_names(frame.subject, draft) if not naming.is_generic(name)]
    if frame.verb != "number" or not frame.group.passive or frame.negated or len(names) != 1:
        return False
    read = quantities.number(frame.rest, 1) if frame.rest[:1] and frame.rest[0].low in {"from", "starting"} else None
    if frame.rest and (read is None or read[1] != len(frame.rest)):
        return False
    entity = draft.entity(names[0], declared=True)
    low = read[0] if read is not None else 1
    item = entity.add(DraftField("number", FieldType.INTEGER, minimum=low, words=("number",), at=draft.at))
    draft.topic = entity.name
    return draft.mark(("field", entity.name, item.name)) and draft.settle()


def measured(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read what a verb of measure says of a thing; False when it is no such verb, or not that simple."""
    del later
    if frame.negated or frame.group.passive or frame.conditions or not frame.subject:
        return False
    subjects = [one for one in naming.subject_names(frame.subject, draft) if not naming.is_generic(one)]
    if len(subjects) != 1 or not naming.may_hold(subjects[0]):
        return False
    found = _figures(frame)
    if not found:
        return False
    entity = draft.entity(subjects[0], declared=True)
    draft.topic = entity.name
    for field in found:
        draft.mark(("field", entity.name, entity.add(field).name))
    return True


def _figures(frame: frames.Frame) -> list[DraftField]:
    """Give what verbs of measure say, "weighs 5 or 10 grams and costs 1 to 9 euros"; nothing unless it is all."""
    found: list[DraftField] = []
    at, verb = 0, frame.verb
    while (read := measures.behind_verb(frame.rest, at, verb)) is not None:
        field, at, chooses = read
        if not chooses or (verb == "last" and not field.values):
            return []
        found.append(field)
        if at == len(frame.rest):
            return found
        joined = frame.rest[at].low in {"and", ","} and at + 1 < len(frame.rest)
        verb = (frame.rest[at + 1].verb or "") if joined else ""
        at += 2
    return []
