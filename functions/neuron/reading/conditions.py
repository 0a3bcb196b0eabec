"""Reads predicates on an entity: adjectives ("open", "overdue", "inactive") and what stands behind "if", "while"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import inference, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from shared.software.specification import OPPOSITES, Condition, FieldType, Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.tokens import Token

DATED: Final = frozenset({FieldType.DATE, FieldType.DATETIME})
"""The kinds of fields that tell a day."""

NUMBERS: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL})
"""The kinds of a thing's own fields that tell how much."""

_RUNNING: Final = lexicon.words(
    "open active current ongoing outstanding unreturned running existing live pending unfinished incomplete undone"
)
_NEGATING: Final = ("in", "un", "not_", "non_", "non")
_INITIALLY_TRUE: Final = frozenset(["active", "enabled", "available", "valid"])
_TRUTHS: Final = lexicon.words(
    "closed completed cancelled sold ended finished active enabled verified approved suspended blocked banned "
    "locked archived published retired disabled frozen confirmed validated certified paid premium deactivated "
    "public private featured"
)


def opposite(condition: Condition) -> Condition:
    """Give the condition that holds when this one does not."""
    return condition.model_copy(update={"operator": OPPOSITES[condition.operator]})


def negate(conditions: Sequence[Condition]) -> tuple[Condition, ...] | None:
    """Give the conditions that hold when these do not; None when that takes an "or"."""
    meaningful = [
        c
        for c in conditions
        if not (c.operator is Operator.EQ and len(conditions) > 1 and c.field in {"status", "state"})
    ]
    if len(conditions) == 1:
        return (opposite(conditions[0]),) if conditions[0].operator in OPPOSITES else None
    return (opposite(meaningful[0]),) if len(meaningful) == 1 else None


_RUNNING_WORDS: Final = lexicon.words(
    "returned cancelled canceled closed completed ended finished withdrawn expired rejected left done "
    "declined refunded dropped resolved"
)


def running(entity: DraftEntity) -> tuple[Condition, ...]:
    """Give the condition that an entity still counts: it is not in a state that ends it."""
    machine = entity.machine
    if machine is None or machine.initial is None:
        return ()
    ending = _RUNNING_WORDS
    living = [state for state in machine.states if state not in ending]
    if len(living) == len(machine.states) or not living:
        return ()
    if len(living) == 1:
        return (Condition(field=machine.field, operator=Operator.EQ, value=living[0]),)
    return (Condition(field=machine.field, operator=Operator.IN, value=tuple(living)),)


def adjective(word: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read an adjective of an entity as conditions on its fields; None when nothing of the entity answers to it."""
    name = morphology.name(word)
    for reader in (_value, truth, _state, _moment):
        found = reader(name, entity)
        if found is not None:
            return found
    for prefix in _NEGATING:
        if name.startswith(prefix) and len(name) > len(prefix) + 2:
            inner = adjective(name[len(prefix) :], entity)
            if inner is not None and (turned := negate(inner)) is not None:
                return turned
    return None


def _state(name: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    machine = entity.machine
    if machine is None:
        return going_on(entity) or None if name in _RUNNING else None
    for state in machine.states:
        if morphology.name(state) == name:
            return (Condition(field=machine.field, operator=Operator.EQ, value=state),)
    if name in _RUNNING and machine.initial is not None:
        return running(entity) or (Condition(field=machine.field, operator=Operator.EQ, value=machine.initial),)
    return None


def _value(name: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    for item in entity.fields.values():
        for value in item.values:
            if morphology.name(value) == name:
                meant = int(value) if item.type is FieldType.INTEGER else value
                return (Condition(field=item.name, operator=Operator.EQ, value=meant),)
    return None


def truth(name: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read a word as a yes-or-no field of the entity that holds."""
    for item in entity.fields.values():
        if item.name in {name, f"is_{name}"} and kind_of(item) is FieldType.BOOLEAN:
            return (Condition(field=item.name, operator=Operator.EQ, value=True),)
        if item.name in {f"{name}_at", f"{name}_on", f"{name}_date"} and item.required is False:
            return (Condition(field=item.name, operator=Operator.NOT_NULL),)
    return None


def kind_of(item: DraftField) -> FieldType | None:
    """Give the type of a field, as far as it is said or implied by its name."""
    if item.type is None:
        probe = DraftField(
            item.name,
            values=item.values,
            default=item.default,
            min_length=item.min_length,
            minimum=item.minimum,
            maximum=item.maximum,
        )
        inference.complete(probe)
        return probe.type
    return item.type


def moment(item: DraftField) -> str:
    """Give what a date(time) field is compared with: today or now."""
    return "today" if kind_of(item) is FieldType.DATE else "now"


def dated(entity: DraftEntity, *words: str) -> DraftField | None:
    """Give the first date(time) field whose name holds one of the words."""
    fields = [item for item in entity.fields.values() if kind_of(item) in DATED]
    return next((item for word in words for item in fields if word in item.name.split("_") or word == item.name), None)


def _moment(name: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    late = {
        "overdue": ("due", "deadline", "return"),
        "expired": ("expiry", "expires", "expiration", "end", "valid"),
        "late": ("due",),
        "closed": ("closes", "closing", "deadline", "ends"),
        "ended": ("ends", "end"),
        "over": ("ends", "end"),
        "finished": ("ends", "end"),
    }
    if name in late and (item := dated(entity, *late[name])) is not None:
        return (Condition(field=item.name, operator=Operator.LT, other=moment(item)), *going_on(entity))
    if (
        name in {"upcoming", "future"}
        and (item := dated(entity, "start", "starts", "date", "time", "due", "begin", "scheduled", "departure"))
        is not None
    ):
        return (
            Condition(
                field=item.name, operator=Operator.GT if moment(item) == "now" else Operator.GE, other=moment(item)
            ),
        )
    if (
        name == "past"
        and (item := dated(entity, "end", "ends", "date", "start", "time", "due", "departure")) is not None
    ):
        return (Condition(field=item.name, operator=Operator.LT, other=moment(item)),)
    return None


_UNFINISHED_WORDS: Final = lexicon.words("done completed is_done is_completed finished complete paid returned")


_ENDING_WORDS: Final = lexicon.words(
    "end ended exit exited discharge discharged return returned departure left checkout"
)


def going_on(entity: DraftEntity) -> tuple[Condition, ...]:
    """Give the condition that something is not over: by its state, or by an end that is not known yet."""
    found = running(entity)
    if found:
        return found
    ends = [f for f in entity.fields.values() if f.required is False and kind_of(f) in DATED]
    ended = [f for f in ends if _ENDING_WORDS & set(f.name.split("_"))]
    if len(ended) == 1:
        return (Condition(field=ended[0].name, operator=Operator.IS_NULL),)
    for item in entity.fields.values():
        if item.name in _UNFINISHED_WORDS and kind_of(item) is FieldType.BOOLEAN:
            return (Condition(field=item.name, operator=Operator.EQ, value=False),)
        closed = [
            value for value in item.values if value in {"done", "completed", "closed", "finished", "paid", "returned"}
        ]
        if closed and item.name in {"status", "state"}:
            return (Condition(field=item.name, operator=Operator.NE, value=closed[0]),)
    return ()


def implied(word: str, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read an adjective that presupposes a yes-or-no field ("only active members …") by adding that field."""
    name = morphology.name(word)
    for prefix in ("in", "un"):
        if name.startswith(prefix) and name[len(prefix) :] in _TRUTHS:
            inner = implied(name[len(prefix) :], entity)
            return negate(inner) if inner else None
    if name not in _TRUTHS or (entity.link_verb is not None and entity.machine is not None):
        return None
    told = next((f for n, f in entity.fields.items() if n in {"status", "state"} and not f.values), None)
    if told is not None and kind_of(told) is FieldType.STRING:
        return (Condition(field=told.name, operator=Operator.EQ, value=word.lower()),)
    entity.add(DraftField(name, FieldType.BOOLEAN, required=False, default=name in _INITIALLY_TRUE))
    return (Condition(field=name, operator=Operator.EQ, value=True),)


def _possessed(tokens: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read "it has no reward" where there may be none, "it has a negative balance"."""
    at = next((i for i, t in enumerate(tokens[:4]) if t.low in lexicon.HAVE), None)
    if at is None or at + 1 >= len(tokens):
        return None
    without = tokens[at + 1].low == "no" or (at > 0 and tokens[at - 1].low in lexicon.NEGATIONS)
    return holding(tokens[at + 1 + (tokens[at + 1].low in {"no", "any"}) :], entity, without=without)


_PREDICATE_WORDS: Final = lexicon.words(
    "it they already currently still yet also been be set marked as to in state the become becomes and"
)


def predicate(tokens: Sequence[Token], entity: DraftEntity, draft: Draft) -> tuple[Condition, ...] | None:
    """Read what is said of an entity behind its subject: "is not active", "has status open", "price is over 100"."""
    words = [token for token in tokens if token.low not in lexicon.ARTICLES | _PREDICATE_WORDS]
    negative = any(token.low in lexicon.NEGATIONS for token in words)
    words = [token for token in words if token.low not in lexicon.NEGATIONS | lexicon.BE | lexicon.HAVE]
    if not words:
        return None
    compared = _possessed(tokens, entity) or comparison(tokens, entity)
    if compared is not None:
        return compared
    parts = [
        token.text
        for token in words
        if token.is_word and draft.known([token.low]) is not entity and token.low not in {"status", "state"}
    ]
    for length in range(min(3, len(parts)), 0, -1):
        for start in range(len(parts) - length + 1):
            found = adjective(" ".join(parts[start : start + length]), entity)
            if found is not None:
                return negate(found) if negative else found
    return _choice(parts, entity, negative=negative)


def _choice(parts: Sequence[str], entity: DraftEntity, *, negative: bool) -> tuple[Condition, ...] | None:
    for word in parts:
        found = implied(word.lower(), entity)
        if found is not None:
            return negate(found) if negative else found
    return None


def field_at(tokens: Sequence[Token], at: int, entity: DraftEntity) -> tuple[DraftField, int] | None:
    """Read the name of a field of the entity at a position; the longest name wins."""
    counted = _counted(tokens, at, entity)
    if counted is not None:
        return counted
    for length in range(min(5, len(tokens) - at), 0, -1):
        part = tokens[at : at + length]
        if not all(token.is_word for token in part):
            continue
        plain = " ".join(t.low for t in part).replace("number of ", "")
        names = {
            morphology.name(plain),
            morphology.name(*[t.low for t in part[:-1]], part[-1].singular),
            morphology.name(*[t.low for t in part[:-1]], morphology.plural(part[-1].low)),
        }
        for name in names:
            if name in entity.fields:
                return entity.fields[name], at + length
    return None


def _counted(tokens: Sequence[Token], at: int, entity: DraftEntity) -> tuple[DraftField, int] | None:
    """Read "the number of seats" as the field for seats."""
    if (
        at + 2 < len(tokens)
        and tokens[at].low in {"number", "count", "total"}
        and tokens[at + 1].low in {"of", "number"}
    ):
        skip = next(
            (i for i in range(at + 2, min(at + 4, len(tokens))) if tokens[i].low not in lexicon.DETERMINERS | {"of"}),
            at + 2,
        )
        return field_at(tokens, skip, entity)
    return None


def find_field(tokens: Sequence[Token], entity: DraftEntity, start: int = 0) -> tuple[DraftField, int, int] | None:
    """Find the first field of the entity that the tokens name: the field and its interval."""
    for i in range(start, len(tokens)):
        read = field_at(tokens, i, entity)
        if read is not None:
            return read[0], i, read[1]
    return None


def holding(tokens: Sequence[Token], entity: DraftEntity, *, without: bool) -> tuple[Condition, ...] | None:
    """Read "with a sailing licence" where that is a yes or a no, "without an end date" where there may be none."""
    start = 1 if tokens and tokens[0].low in lexicon.DETERMINERS else 0
    sign = _SIGNED.get(tokens[start].low) if start < len(tokens) else None
    start += sign is not None
    read = field_at(tokens, start, entity) if start < len(tokens) else None
    if read is None or read[1] != len(tokens):
        return None
    if sign is not None:
        measured = kind_of(read[0]) in {FieldType.INTEGER, FieldType.DECIMAL} and not without
        return (Condition(field=read[0].name, operator=sign, value=0),) if measured else None
    if without and (none := next((v for v in read[0].values if v.lower() == "none"), None)) is not None:
        return (Condition(field=read[0].name, operator=Operator.EQ, value=none),)
    if kind_of(read[0]) is FieldType.BOOLEAN:
        return (Condition(field=read[0].name, operator=Operator.EQ, value=not without),)
    if kind_of(read[0]) is FieldType.INTEGER and morphology.is_plural(tokens[-1].low) and not read[0].target:
        return (Condition(field=read[0].name, operator=Operator.LE if without else Operator.GT, value=0),)
    if read[0].required is not False:
        return None
    return (Condition(field=read[0].name, operator=Operator.IS_NULL if without else Operator.NOT_NULL),)


def measured(tokens: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read "(with) a battery level below 20" to its end."""
    start = 1 if tokens and tokens[0].low in lexicon.DETERMINERS else 0
    read = field_at(tokens, start, entity) if start < len(tokens) else None
    at = read[1] + (read[1] < len(tokens) and tokens[read[1]].low == "of") if read is not None else 0
    limits = quantities.bound(tokens, at) if read is not None and at < len(tokens) else None
    if read is None or limits is None or kind_of(read[0]) not in {FieldType.INTEGER, FieldType.DECIMAL}:
        return None
    behind = [t for t in tokens[limits[1] :] if t.low not in {"percent", "%"}]
    return None if behind else _bounds(read[0], limits[0])


def valued(tokens: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read "(in) poor condition" where a condition is one of several values."""
    words = [t for t in tokens if t.low not in lexicon.DETERMINERS]
    for length in range(1, len(words)):
        read = field_at(words, length, entity)
        said = morphology.name(*[t.low for t in words[:length]])
        if read is None or read[1] != len(words):
            continue
        meant = next((value for value in read[0].values if morphology.name(value) == said), None)
        if meant is not None:
            return (Condition(field=read[0].name, operator=Operator.EQ, value=meant),)
    return None


_SIGNED: Final = {"negative": Operator.LT, "positive": Operator.GT}


def comparison(tokens: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read a comparison of a field with a number or with the present: "stock is at least 1"."""
    named = find_field(tokens, entity)
    if named is None:
        return None
    item, _, end = named
    rest = tokens[end:]
    lows = [token.low for token in rest]
    if kind_of(item) in DATED:
        return _against_now(item, lows)
    negative = any(low in {"not", "never", "cannot", "is-not"} for low in lows[:3])
    for i in range(len(rest)):
        bound = quantities.bound(rest, i)
        if bound is None:
            continue
        limits = bound[0].negated() if negative and not bound[0].exact else bound[0]
        return _bounds(item, limits)
    return None


def _against_now(item: DraftField, lows: list[str]) -> tuple[Condition, ...] | None:
    if {"passed", "past", "over", "gone"} & set(lows):
        negative = bool(set(lows) & {"not", "is-not", "hasn't"})
        return (Condition(field=item.name, operator=Operator.GE if negative else Operator.LT, other=moment(item)),)
    if "future" in lows:
        return (Condition(field=item.name, operator=Operator.GT, other=moment(item)),)
    return None


def _bounds(item: DraftField, limits: quantities.Bound) -> tuple[Condition, ...] | None:
    if limits.exact:
        return (Condition(field=item.name, operator=Operator.EQ, value=limits.low),)
    found: list[Condition] = []
    if limits.low is not None:
        found.append(
            Condition(field=item.name, operator=Operator.GT if limits.low_open else Operator.GE, value=limits.low)
        )
    if limits.high is not None:
        found.append(
            Condition(field=item.name, operator=Operator.LT if limits.high_open else Operator.LE, value=limits.high)
        )
    return tuple(found) or None
