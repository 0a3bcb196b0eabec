"""Reads who looks after what, and what is ordered or made of what: "members can book courses with a date"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, fields, frames, lexicon, morphology, quantities
from functions.neuron.reading.declarations import contents, listings, naming, phrases, references
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.tokens import Kind, Token
from shared.software.specification import FieldType
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence


def managing(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "the system keeps track of projects", "we manage recipes with a title"."""
    if frame.verb not in lexicon.MANAGING_VERBS and not (
        frame.verb == "be" and frame.subject and frame.subject[0].low == "there"
    ):
        return False
    if frame.verb == "be" and frame.negated and frame.modal == "must":
        return False  # "there must not be two readings": a rule
    subjects = naming.subject_names(frame.subject, draft) if frame.subject else []
    if frame.group.passive and frame.rest and frame.rest[0].low in {"in", "on", "at", "by"}:
        return False
    if frame.group.passive and (owner := _for_each_of(frame.subject, draft)) is not None:
        return _kept_for(frame, owner, draft, later)
    if frame.group.passive:
        held = {field for entity in draft.entities.values() for field in entity.fields}
        names = [name for name in subjects if not naming.is_generic(name) and name not in held - draft.entities.keys()]
        for name in names:
            draft.mark(("entity", draft.entity(name, declared=True).name))
        if names and frame.rest and frame.rest[0].low == "with":
            contents.hold(draft.entities[names[-1]], frame.rest[1:], draft, later)
        return bool(names)
    looked_after = frame.verb in naming.MANAGING_WORDS
    if frame.verb != "be" and not all(
        naming.is_generic(name) or name in naming.COLLECTIVE or (looked_after and name not in draft.entities)
        for name in subjects
    ):
        return False
    start = quantities.phrase(frame.rest, 0, "track of") or listings.behind_collection(frame.rest, 0) or 0
    return listings.declare_list(frame.rest[start:], draft, later)


_RECKONING: Final = frozenset({"multiply", "divide", "subtract"})
_PUTTING: Final = lexicon.words("add insert remove put")


def _deals_with_none(frame: frames.Frame, draft: Draft) -> bool:
    """Whether an order is on no thing that is kept: "add stock", "add, multiply and divide fractions"."""
    if _RECKONING & set(frame.group.verbs):
        return True
    if frame.verb not in _PUTTING or not frame.rest or not _uncounted(frame.rest, draft):
        return False
    held = {name for entity in draft.entities.values() for name in entity.fields}
    return not frame.subject or frame.rest[0].low in held  # "managers add stock to products"


def _uncounted(rest: Sequence[Token], draft: Draft) -> bool:
    """Whether an object is no thing of its own, as "insert money": in the singular, with no word in front of it."""
    alone = len(rest) == 1 or (bool(rest) and rest[1].low in lexicon.PREPOSITIONS)
    bare = alone and rest[0].is_word and rest[0].low not in lexicon.DETERMINERS | lexicon.PRONOUNS
    return bare and not morphology.is_plural(rest[0].low) and draft.known([rest[0].low]) is None


def _for_each_of(subject: Sequence[Token], draft: Draft) -> tuple[DraftEntity, int] | None:
    """Give the thing in "for every hive inspections are kept", and where what is kept of it begins."""
    if len(subject) <= _LEAST_KEPT or subject[0].low != "for" or subject[1].low not in {"each", "every", "a", "an"}:
        return None
    mention = next((m for m in draft.mentions(subject) if m.start == _LEAST_KEPT - 1), None)
    start = mention.end + (mention.end < len(subject) and subject[mention.end].text == ",") if mention else 0
    return (mention.entity, start) if mention is not None and start < len(subject) else None


_LEAST_KEPT: Final = 3


def _kept_for(frame: frames.Frame, owner: tuple[DraftEntity, int], draft: Draft, later: references.Open) -> bool:
    """Read what is kept for each of something, with what stands behind a colon as its fields."""
    entity, start = owner
    kept = frame.subject[start:]
    whose = next((i for i, t in enumerate(kept) if t.low == "of"), None)
    if not morphology.is_plural(kept[-1].low):
        return False
    names = [name for name in naming.subject_names(kept, draft) if not naming.is_generic(name)]
    if len(names) != 1 or draft.known(names[0].split("_")) is entity:
        return False
    held = draft.entity(names[0], declared=True)
    references.refer(held, entity.name, draft, optional=False)
    for mention in draft.mentions(kept[whose + 1 :]) if whose is not None else ():  # "the attendance of singers"
        references.refer(held, mention.entity.name, draft, optional=False)
    draft.topic = held.name
    colon = next((i for i, t in enumerate(frame.rest) if t.text == ":" or t.low == "with"), None)
    said = frame.rest[colon + 1 :] if colon is not None else ()
    values = enumerations.until_or(said, 0) if said else None
    if values is not None and values[1] == len(said):
        status = held.add(DraftField("status", FieldType.ENUM, values=tuple(values[0]), words=("status",)))
        draft.mark(("field", held.name, status.name))
    elif said:
        contents.hold(held, said, draft, later)
    return draft.mark(("entity", held.name)) and draft.settle()


_BEGINNING: Final = frozenset({"start", "open", "begin", "schedule", "plan"})
_HOLDING_WORDS_BEHIND: Final = lexicon.words("with having including consisting giving specifying containing")


def ordering(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read orders and permissions on what is kept: "add a task with a title", "users can create notes"."""
    operations = _asked(frame, draft)
    if not operations or _deals_with_none(frame, draft):
        return False
    cut = next((i for i, t in enumerate(frame.rest) if _opens_fields(t, i)), len(frame.rest))
    head = frame.rest[:cut]
    stop = next((i for i, t in enumerate(head) if _ends_object(t)), len(head))
    named = naming.subject_names(head[:stop], draft)
    name = named[0] if named else None
    listed = cut < len(frame.rest) and "create" in operations and name is not None and naming.may_hold(name)
    if (
        name is None
        or (not listed and (naming.is_generic(name) or name in naming.NOT_ENTITIES))
        or any(t.low == "of" for t in head[:stop])
    ):
        return False
    if "create" not in operations and (draft.computations or not _may_act_on(name, operations, draft)):
        return False
    entity = draft.entity(name, declared="create" in operations)
    _operate(frame, entity, operations, draft)
    subjects = naming.subject_names(frame.subject, draft) if frame.subject else []
    limited = {"once", "twice"} & {token.low for token in frame.rest}
    if "create" in operations and subjects and not naming.is_generic(subjects[0]) and not limited:
        later.makers.append((subjects[0], entity.name, phrases.prepositional(head[stop:], draft), draft.at))
    if cut < len(frame.rest) and operations & {"create", "update"}:
        end = frames.close_of(frame.rest, cut) if frame.rest[cut].text == "(" else len(frame.rest)
        for further in naming.subject_names(head[:stop], draft)[1:]:
            if further not in naming.NOT_ENTITIES:
                _operate(frame, draft.entity(further, declared=True), operations, draft)
                contents.hold(draft.entity(further), frame.rest[cut + 1 : end], draft, later)
        contents.hold(entity, frame.rest[cut + 1 : end], draft, later)
        if draft.kind is not SoftwareKind.API and "create" in operations:
            _is_for(entity, phrases.prepositional(head[stop:], draft), draft)
        draft.settle()
    elif stop < len(head) and "create" in operations and head[stop].low in {"to", "for", "on", "in"}:
        later.makers += [(target, entity.name, (), draft.at) for target in phrases.prepositional(head[stop:], draft)]
    return draft.mark(("entity", entity.name))


def _is_for(entity: DraftEntity, targets: Sequence[str], draft: Draft) -> None:
    """Let what is made hold what it is for: "start a timer for a project with a note"."""
    for target in targets:
        if target not in entity.fields:
            entity.add(DraftField(target, words=tuple(target.split("_"))))
            draft.mark(("field", entity.name, target))


def _asked(frame: frames.Frame, draft: Draft) -> set[str]:
    """Give the operations that an order or a permission asks for; none when the clause is neither."""
    operations = {lexicon.OPERATION_VERBS[verb] for verb in frame.group.verbs if verb in lexicon.OPERATION_VERBS}
    subjects = naming.subject_names(frame.subject, draft) if frame.subject else []
    begins = frame.verb in _BEGINNING and "with" in [t.low for t in frame.rest]
    if not operations and begins and draft.kind is not SoftwareKind.API:
        operations = {"create"}
    permitted = not frame.subject or frame.modal in _PERMITTING or all(naming.is_generic(name) for name in subjects)
    narrowing = frame.verb in {"search", "find", "filter", "sort", "order"}
    linking = frame.verb in lexicon.LINKING_VERBS and bool(frame.subject)
    if frame.negated or frame.only or frame.group.passive or not permitted or narrowing or linking:
        return set()
    return operations


_PERMITTING: Final = frozenset({"can", "may", "must", "should", "will"})


def _opens_fields(token: Token, at: int) -> bool:
    return token.low in _HOLDING_WORDS_BEHIND or (token.text == "(" and at > 0) or token.text == ":"


def _ends_object(token: Token) -> bool:
    prepositions = lexicon.PREPOSITIONS - {"of", "than"}
    return token.low in prepositions or token.text in {",", ":"} or token.kind is Kind.POSSESSIVE


def _may_act_on(name: str, operations: set[str], draft: Draft) -> bool:
    """Whether an operation other than creation tells that there is such a thing."""
    return name in draft.entities or (draft.kind is SoftwareKind.COMMAND_LINE and "delete" in operations)


def _operate(frame: frames.Frame, entity: DraftEntity, operations: set[str], draft: Draft) -> None:
    """Record the operations, and the words that the request has for them."""
    draft.topic = entity.name
    draft.operations[entity.name].update(operations)
    if frame.verb in _BEGINNING and "create" in operations:
        draft.verbs.setdefault((entity.name, "create"), frame.verb)
    for verb in frame.group.verbs:
        if verb in lexicon.OPERATION_VERBS:
            draft.verbs.setdefault((entity.name, lexicon.OPERATION_VERBS[verb]), verb)
    for operation in sorted(operations):
        draft.mark(("operation", entity.name, operation))


def consisting(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "an order is made up of items", "a playlist is a list of songs", "a room is described by …"."""
    if not frame.subject or frame.negated:
        return False
    start = None
    if frame.group.passive and frame.verb in {"make", "compose", "build"}:
        start = next((i + 1 for i, t in enumerate(frame.rest[:3]) if t.low in {"of", "from"}), None)
    elif frame.verb == "be":
        composing = ("a list of", "a collection of", "a set of", "an ordered list of", "made up of")
        start = quantities.any_phrase(frame.rest, 0, composing)
    if start is None:
        return False
    names = [name for name in naming.subject_names(frame.subject, draft) if not naming.is_generic(name)]
    if not names:
        return False
    entity = draft.entity(names[0], declared=True)
    parts = fields.items(frame.rest[start:])
    if len(parts) > 1 and all(item.determined and not item.many and item.bound is None for item in parts):
        return contents.hold(entity, frame.rest[start:], draft, later) and draft.settle()
    for item in parts:
        later.many.append((entity.name, item.field.name, draft.at, item.bound, False))
        draft.mark(("many", entity.name, item.field.name))
    return True
