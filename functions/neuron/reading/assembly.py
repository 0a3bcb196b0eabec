"""Turns the finished draft into the specification: closes what dangles, gives it a face.

And says of every clause what became of it.

Promises: what comes out validates. A clause counts as done only when a part of the specification stands for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.neuron.reading import closing, faces, honesty, retracting
from shared.software import specification as spec
from shared.software.closure import faults
from shared.software.specification import FieldSpec, FieldType, Kind

if TYPE_CHECKING:
    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mark

NOT_UNDERSTOOD: Final = "HAL9 did not understand this part well enough to build it."


def assemble(draft: Draft) -> spec.Specification:
    """Give the specification of the draft, without what only clauses gave rise to that are not done."""
    made = _assembled(draft)
    return _assembled(draft) if retracting.retract(draft, made) else made


def _assembled(draft: Draft) -> spec.Specification:
    closing.finish(draft)
    entities = {entity.name: _entity(entity, draft) for entity in _distinct(draft)}
    draft.rules = {name: rule for name, rule in draft.rules.items() if rule.entity in entities}
    parts: dict[str, Any] = {
        "name": draft.name,
        "title": draft.title,
        "description": _description(draft),
        "kind": draft.kind,
        "request": draft.request,
        "entities": tuple(entities.values()),
        "relations": tuple(draft.relations.values()),
        "reports": _sound_reports(draft, tuple(entities.values())),
        "listings": _listings(draft),
        "computations": tuple(draft.computations.values()),
        "structures": tuple(draft.structures.values()),
        "endpoints": faces.endpoints(draft) if draft.kind is Kind.API else (),
        "command_line": faces.command_line(draft) if draft.kind is Kind.COMMAND_LINE else None,
        "library": faces.library(draft) if draft.kind is Kind.LIBRARY else None,
    }
    parts["rules"] = _sound_rules(draft, parts)
    parts["views"] = _sound_views(draft, parts)
    bare = spec.Specification.model_validate(parts)
    return bare.model_copy(update={"clauses": tuple(_doubted(clause, bare) for clause in _clauses(draft, bare))})


_DESCRIBED: Final = 3


def _description(draft: Draft) -> str:
    """Say what the software does, where it only computes; its title otherwise."""
    computed = [c.description for c in draft.computations.values() if c.description]
    if draft.entities or not computed or len(computed) > _DESCRIBED:
        return draft.title
    return "; ".join([computed[0], *(text[:1].lower() + text[1:] for text in computed[1:])])


def _doubted(clause: spec.Clause, made: spec.Specification) -> spec.Clause:
    """Take a clause that counts as done back when something in it stands for nothing that was made."""
    reason = honesty.doubt(clause, made) if clause.status is spec.ClauseStatus.DONE else ""
    if not reason:
        return clause
    return clause.model_copy(update={"status": spec.ClauseStatus.NOT_DONE, "implements": (), "reason": reason})


def _distinct(draft: Draft) -> list[DraftEntity]:
    """The entities, with plurals that do not collide."""
    taken: set[str] = set()
    for entity in draft.entities.values():
        while entity.plural in taken:
            entity.plural = f"{entity.plural[:58]}_list"
        taken.add(entity.plural)
    return list(draft.entities.values())


def _sound_rules(draft: Draft, parts: dict[str, Any]) -> tuple[spec.Rule, ...]:
    """Keep the rules that the entities bear out; the clauses of the others then count as not done."""
    sound: dict[str, spec.Rule] = {}
    for name, rule in draft.rules.items():
        trial = spec.Specification.model_construct(**{**_empty(), **parts, "rules": (rule,)})
        if not [fault for fault in faults(trial) if fault.startswith("/rules")]:
            sound[name] = rule
    draft.rules = sound
    return tuple(sound.values())


def _sound_views(draft: Draft, parts: dict[str, Any]) -> tuple[spec.View, ...]:
    """Keep the views that the entities bear out, and no endpoint or command of another one."""
    sound: dict[str, spec.View] = {}
    for name, view in draft.views.items():
        trial = spec.Specification.model_construct(**{**_empty(), **parts, "rules": (), "views": (view,)})
        if not [fault for fault in faults(trial) if fault.startswith("/views")]:
            sound[name] = view
    if len(sound) < len(draft.views):
        draft.views = sound
        parts["endpoints"] = faces.endpoints(draft) if draft.kind is Kind.API else ()
        parts["command_line"] = faces.command_line(draft) if draft.kind is Kind.COMMAND_LINE else None
    return tuple(sound.values())


def _sound_reports(draft: Draft, entities: tuple[spec.Entity, ...]) -> tuple[spec.Report, ...]:
    """Keep the reports that the entities bear out, before the software gets its face."""
    for name, report in list(draft.reports.items()):
        trial = spec.Specification.model_construct(**{**_empty(), "entities": entities, "reports": (report,)})
        if [fault for fault in faults(trial) if fault.startswith("/reports")]:
            del draft.reports[name]
    return tuple(draft.reports.values())


def _empty() -> dict[str, Any]:
    return {name: field.default for name, field in spec.Specification.model_fields.items() if not field.is_required()}


def _entity(entity: DraftEntity, draft: Draft) -> spec.Entity:
    machine = _machine(entity)
    made = tuple(_field(item, draft) for item in entity.fields.values())
    names = {field.name for field in made}
    derivations = tuple(
        d for d in entity.derivations.values() if d.field in names and (d.base == "now" or d.base in names)
    )
    return spec.Entity(
        name=entity.name,
        plural=entity.plural,
        description=entity.description,
        fields=made,
        derivations=derivations,
        machine=machine,
        label=_label(made),
    )


def _machine(entity: DraftEntity) -> spec.StateMachine | None:
    draft = entity.machine
    if draft is None or len(draft.states) < 2:
        if draft is not None and draft.field in entity.fields:
            entity.fields[draft.field].managed = False
        entity.machine = None
        return None
    field = entity.fields[draft.field]
    field.type, field.values, field.managed = FieldType.ENUM, tuple(draft.states), True
    field.default = None
    field.minimum = field.maximum = field.min_length = field.max_length = None
    initial = draft.initial if draft.initial in draft.states else draft.states[0]
    known = set(draft.states)
    moves = tuple(
        move
        for move in draft.transitions.values()
        if move.target in known and set(move.sources) <= known and move.sources
    )
    return spec.StateMachine(field=draft.field, initial=initial, states=tuple(draft.states), transitions=moves)


def _label(made: tuple[FieldSpec, ...]) -> str | None:
    texts = [field for field in made if field.type is FieldType.STRING]
    for wanted in ("name", "title", "label", "full_name"):
        if any(field.name == wanted for field in texts):
            return wanted
    return texts[0].name if texts else None


def _field(item: DraftField, draft: Draft) -> FieldSpec:
    kind = item.type or FieldType.STRING
    if kind is FieldType.REFERENCE and item.target not in draft.entities:
        kind, item.target = FieldType.STRING, None
    if kind is FieldType.ENUM and not item.values:
        kind = FieldType.STRING
    item.type = kind
    numeric = kind in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}
    textual = kind in {FieldType.STRING, FieldType.TEXT, FieldType.EMAIL, FieldType.URL}
    low, high = (item.minimum, item.maximum) if numeric else (None, None)
    if low is not None and high is not None and low > high:
        low = high = None
    return FieldSpec(
        name=item.name,
        type=kind,
        required=item.required is not False and item.default is None,
        unique=item.unique and kind is not FieldType.BOOLEAN,
        values=item.values if kind in {FieldType.ENUM, FieldType.INTEGER} else (),
        target=item.target if kind is FieldType.REFERENCE else None,
        default=_default(item, kind),
        minimum=low,
        maximum=high,
        exclusive_minimum=item.exclusive_minimum and low is not None,
        exclusive_maximum=item.exclusive_maximum and high is not None,
        min_length=item.min_length if textual else None,
        max_length=item.max_length
        if textual and (item.max_length is None or item.max_length >= (item.min_length or 0))
        else None,
        pattern=item.pattern if textual else None,
        scale=item.scale if item.scale is not None else 2,
        managed=item.managed,
        immutable=item.immutable,
        description=item.description,
    )


def _default(item: DraftField, kind: FieldType) -> spec.Scalar:
    """Give the default if it is a value of the field's type."""
    value = item.default
    match kind:
        case FieldType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case FieldType.ENUM:
            return next((v for v in item.values if str(v).lower() == str(value).lower()), None)
        case FieldType.INTEGER:
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        case FieldType.DECIMAL:
            return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case FieldType.NUMBER:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case FieldType.STRING | FieldType.TEXT:
            return str(value) if value is not None and not isinstance(value, bool) else None
        case _:
            return None


def _listings(draft: Draft) -> tuple[spec.Listing, ...]:
    """Let every list be narrowed by references, enumerations and flags, searched in its texts."""
    made = []
    for entity in draft.entities.values():
        stated = draft.listings.get(entity.name, {"filters": [], "search": [], "sort": []})
        fields = list(entity.fields.values())
        chosen = {FieldType.REFERENCE, FieldType.ENUM, FieldType.BOOLEAN}
        filters = [f.name for f in fields if f.type in chosen or (f.type is FieldType.INTEGER and f.values)]
        search = [f.name for f in fields if f.type in {FieldType.STRING, FieldType.TEXT, FieldType.EMAIL}]
        sort = [
            f.name
            for f in fields
            if f.type not in {FieldType.REFERENCE, FieldType.TEXT, FieldType.BOOLEAN, FieldType.LIST}
        ]
        made.append(
            spec.Listing(
                entity=entity.name,
                filters=tuple(dict.fromkeys([*(n for n in stated["filters"] if n in entity.fields), *filters])),
                search=tuple(dict.fromkeys([n for n in stated["search"] if n in entity.fields])) or tuple(search),
                sort=tuple(dict.fromkeys([*(n for n in stated["sort"] if n in entity.fields), *sort])),
            )
        )
    return tuple(made)


def _clauses(draft: Draft, made: spec.Specification) -> list[spec.Clause]:
    pointers = _pointers(made)
    found: list[spec.Clause] = []
    for i, clause in enumerate(draft.clauses):
        named = list(dict.fromkeys(p for mark in draft.marks.get(i, ()) for p in _resolve(mark, pointers)))
        reason = draft.reasons.get(i)
        if not named or reason:
            found.append(_clause(draft, clause.start, clause.end, (), reason or NOT_UNDERSTOOD))
            continue
        found += _with_left(draft, clause, i, named)
    return found


def _with_left(draft: Draft, clause: Clause, at: int, named: list[str]) -> list[spec.Clause]:
    """Cut what is not done out of a clause that is done in part."""
    left = sorted((s, e, reason) for s, e, reason in draft.left.get(at, ()) if clause.start <= s < e <= clause.end)
    if not left:
        return [_clause(draft, clause.start, clause.end, tuple(named), "")]
    pieces: list[spec.Clause] = []
    at_offset = clause.start
    for start, end, reason in left:
        if start < at_offset:
            continue
        if _has_words(draft, at_offset, start):
            pieces.append(_clause(draft, *_trimmed(draft.request, at_offset, start), tuple(named), ""))
            pieces.append(_clause(draft, start, end, (), reason))
        else:
            pieces.append(_clause(draft, at_offset, end, (), reason))
        at_offset = end
    if _has_words(draft, at_offset, clause.end):
        pieces.append(_clause(draft, *_trimmed(draft.request, at_offset, clause.end), tuple(named), ""))
    return pieces


def _has_words(draft: Draft, start: int, end: int) -> bool:
    words = draft.request[start:end].replace(",", " ").split()
    return any(any(c.isalnum() for c in word) for word in words if word.lower() not in {"and", "or", "but"})


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not (text[start].isalnum() or text[start] in "(\"'`/$€£“"):
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _clause(draft: Draft, start: int, end: int, named: tuple[str, ...], reason: str) -> spec.Clause:
    status = spec.ClauseStatus.DONE if named else spec.ClauseStatus.NOT_DONE
    return spec.Clause(
        text=draft.request[start:end], start=start, end=end, status=status, implements=named, reason=reason
    )


def _pointers(made: spec.Specification) -> dict[Mark, str]:
    found: dict[Mark, str] = {("kind",): "/kind"}
    for i, entity in enumerate(made.entities):
        found |= _entity_pointers(entity, f"/entities/{i}")
    found |= {("rule", r.name): f"/rules/{i}" for i, r in enumerate(made.rules)}
    found |= {("relation", r.name): f"/relations/{i}" for i, r in enumerate(made.relations)}
    found |= {("view", v.name): f"/views/{i}" for i, v in enumerate(made.views)}
    found |= {("report", r.name): f"/reports/{i}" for i, r in enumerate(made.reports)}
    found |= {("listing", v.entity): f"/listings/{i}" for i, v in enumerate(made.listings)}
    found |= {("computation", c.name): f"/computations/{i}" for i, c in enumerate(made.computations)}
    found |= {("structure", s.name): f"/structures/{i}" for i, s in enumerate(made.structures)}
    for i, endpoint in enumerate(made.endpoints):
        found["endpoint", endpoint.method, endpoint.path] = f"/endpoints/{i}"
    offered: list[tuple[str, spec.Endpoint | spec.Command]] = [
        (f"/endpoints/{i}", e) for i, e in enumerate(made.endpoints)
    ]
    if made.command_line is not None:
        offered += [(f"/command_line/commands/{i}", c) for i, c in enumerate(made.command_line.commands)]
    for pointer, part in offered:
        if part.entity and not part.target:
            found.setdefault(("operation", part.entity, part.operation.value), pointer)
    if made.library is not None:
        for entity in made.entities:
            found |= {("operation", entity.name, o): found["entity", entity.name] for o in faces.OPERATIONS}
    return found


def _entity_pointers(entity: spec.Entity, pointer: str) -> dict[Mark, str]:
    found: dict[Mark, str] = {("entity", entity.name): pointer}
    if entity.machine is not None:
        found["machine", entity.name] = f"{pointer}/machine"
        for i, move in enumerate(entity.machine.transitions):
            found["transition", entity.name, move.name] = f"{pointer}/machine/transitions/{i}"
    for i, field in enumerate(entity.fields):
        found["field", entity.name, field.name] = f"{pointer}/fields/{i}"
    for i, derivation in enumerate(entity.derivations):
        found["derivation", entity.name, derivation.field] = f"{pointer}/derivations/{i}"
    return found


def _resolve(mark: Mark, pointers: dict[Mark, str]) -> list[str]:
    if mark in pointers:
        return [pointers[mark]]
    if mark[0] == "field" and ("machine", mark[1]) in pointers and mark[2] in {"status", "state"}:
        return [pointers["machine", mark[1]]]
    return []


def covered(draft: Draft) -> bool:
    """Whether anything of substance was understood."""
    return bool(draft.entities or draft.computations or draft.structures)
