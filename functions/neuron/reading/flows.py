"""Reads what raises and lowers a number of a thing: "you can deposit and withdraw money", "add stock of a product".

Each such deed is a record of its own (a deposit, a withdrawal) that refers to the thing, has an amount above zero and
changes the number; what goes from one thing to another (a transfer) changes the numbers of both. Promises: only where
a thing that is declared already has a number of that substance, where all words of the clause are understood, and where
the request describes no such records itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from functions.neuron.reading import conditions, declarations, effects, lexicon, morphology
from functions.neuron.reading.draft import DraftField
from shared.software.specification import EffectRule, FieldType, Operator, RangeRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.declarations import Open
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.tokens import Token

Way = Literal["increase", "decrease", "move"]

_WAYS: Final[dict[str, Way]] = {
    **dict.fromkeys(
        lexicon.words(
            "deposit top-up pay-in add earn collect gain receive buy credit restock replenish refill recharge"
        ),
        "increase",
    ),
    **dict.fromkeys(
        lexicon.words("withdraw spend remove ship sell redeem deduct debit take-out pay-out use-up charge"), "decrease"
    ),
    **dict.fromkeys(lexicon.words("transfer move send"), "move"),
}
_NOUNS: Final = {
    "withdraw": "withdrawal", "transfer": "transfer", "move": "transfer", "send": "transfer", "top-up": "top_up",
    "pay-in": "deposit", "pay-out": "withdrawal", "use-up": "use", "receive": "receipt", "ship": "shipment",
    "restock": "restocking", "sell": "sale", "redeem": "redemption",
}  # fmt: skip
_MONEYS: Final = lexicon.words("balance funds money credit")
_OF_SUBSTANCE: Final = {"add": "addition", "remove": "removal", "take-out": "removal", "deduct": "deduction"}
_ON_THE_WHOLE: Final = lexicon.words("top-up charge credit debit restock replenish refill recharge use-up")
"""Verbs whose object may be the thing itself: a card is topped up."""
_PARTICLES: Final = {
    ("top", "up"), ("topped", "up"), ("pay", "in"), ("paid", "in"), ("pay", "out"), ("paid", "out"), ("use", "up"),
    ("used", "up"),
}  # fmt: skip
_BASES: Final = {"topped": "top", "paid": "pay", "used": "use"}
_SUBSTANCES: Final[dict[str, frozenset[str]]] = {
    "money": _MONEYS,
    "stock": lexicon.words("stock quantity inventory units"),
    "points": lexicon.words("points score balance"),
}
_SYNONYMS: Final = {
    **dict.fromkeys(lexicon.words("money funds cash amount amounts"), "money"),
    **dict.fromkeys(lexicon.words("stock inventory units goods"), "stock"),
    "points": "points",
}
_BEFORE: Final = lexicon.MODALS | lexicon.BE | lexicon.PRONOUNS | lexicon.DETERMINERS | lexicon.words(
    "want wants to able like i'd we'd also then should users user people able be"
)  # fmt: skip
_SECOND: Final = lexicon.words("another two other different between")
_JOINTS: Final = lexicon.words("and or then also , ;")


@dataclass
class _Deed:
    """A deed as a clause tells it: its verb, what is dealt with, and what stands behind that."""

    verb: str
    object: list[Token]
    tail: list[Token]

    @property
    def place(self) -> list[Token]:
        """What is dealt with lies there: "to an account"."""
        return self.tail[: self._until]

    @property
    def details(self) -> list[Token]:
        """What the record is to hold besides: "with a note"."""
        return self.tail[self._until + 1 :]

    @property
    def _until(self) -> int:
        return next((i for i, t in enumerate(self.tail) if t.low == "with"), len(self.tail))


def read(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read a clause that only says by which deeds a number of a thing goes up and down."""
    told = _deeds(clause.words, draft) if not clause.intro else None
    if told is None or _described(told[1], draft):
        return False
    subject, deeds = told
    owner = _changed(clause, subject, deeds, draft)
    if owner is None:
        return False
    entity, field = owner
    for deed in deeds:
        _make(deed, entity, field, draft, later)
    draft.topic = entity.name
    return draft.settle()


def implied(draft: Draft) -> None:
    """Let deposits raise and withdrawals lower the balance of the one thing that has one, when they have an amount.

    "Deposits and withdrawals have an amount and a date" says not which account they are of, nor what they do to it.
    """
    holders = [(e, f) for e in draft.entities.values() if (f := _holding_money(e)) is not None]
    for name, direction in _RECORDS.items():
        record = draft.entities.get(name)
        amount = record.fields.get("amount") if record is not None else None
        if record is None or amount is None or len(holders) != 1 or holders[0][0] is record:
            continue
        entity, field = holders[0]
        told = [f for f in record.fields.values() if f.target]
        if (
            any(f.target != entity.name for f in told)
            or len(told) > 1
            or conditions.kind_of(amount) not in conditions.NUMBERS
        ):
            continue
        if not told:
            added = DraftField(entity.name, FieldType.REFERENCE, required=True, target=entity.name, at=amount.at)
            record.fields = {entity.name: added, **record.fields}
        reference = told[0].name if told else entity.name
        draft.add_rule(_effect(record, reference, field, direction, amount))


_RECORDS: Final[dict[str, Literal["increase", "decrease"]]] = {
    "deposit": "increase",
    "top_up": "increase",
    "withdrawal": "decrease",
}


def _holding_money(entity: DraftEntity) -> DraftField | None:
    found = [f for n, f in entity.fields.items() if n.split("_")[-1] == "balance" and _is_number(f)]
    return found[0] if len(found) == 1 else None


def _deeds(words: Sequence[Token], draft: Draft) -> tuple[list[Token], list[_Deed]] | None:
    """Give what stands in front of the first such verb, and the deeds; None when there are other words."""
    start = next((i for i in range(len(words)) if _verb_at(words, i) is not None), None)
    if start is None:
        return None
    subject = list(words[:start])
    named = {t for m in draft.mentions(subject) for t in subject[m.start : m.end]}
    strange = [t for t in subject if t not in named and t.low not in _BEFORE]
    denied = any(t.low in lexicon.NEGATIONS or t.low in {"only", "nobody"} for t in subject)
    if denied or len(strange) > 1 or any(not morphology.is_plural(t.low) for t in strange):
        return None
    found: list[_Deed] = []
    for part in _parts(words[start:]):
        read_verb = _verb_at(part, 0)
        if read_verb is None:
            return None
        behind = list(part[read_verb[1] :])
        cut = next((i for i, t in enumerate(behind) if t.low in lexicon.PREPOSITIONS | {"with", "out"}), len(behind))
        found.append(_Deed(read_verb[0], behind[:cut], behind[cut:]))
    for deed, following in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if not deed.object and not deed.tail:  # "deposit and withdraw money"
            deed.object, deed.tail = following.object, [t for t in following.tail if following.verb not in _MOVING]
    return subject, found


_MOVING: Final = frozenset(verb for verb, way in _WAYS.items() if way == "move")


def _verb_at(words: Sequence[Token], at: int) -> tuple[str, int] | None:
    """Give the verb at a position, with its particle, and where it ends."""
    low, following = words[at].low, words[at + 1].low if at + 1 < len(words) else ""
    if (low, following) in _PARTICLES:
        return f"{_BASES.get(low, low)}-{following}", at + 2
    if words[at].verb == "take" and following == "out":
        return "take-out", at + 2
    if words[at].low == "take" and any(t.low in {"out", "from"} for t in words[at + 2 : at + 4]):
        return "take-out", at + 1
    base = words[at].verb or low
    if base not in _WAYS or (at and words[at - 1].low in lexicon.DETERMINERS | lexicon.PREPOSITIONS - {"to"}):
        return None
    return base, at + 1


def _parts(words: Sequence[Token]) -> list[list[Token]]:
    """Cut where another deed begins behind a comma or a conjunction."""
    parts: list[list[Token]] = [[]]
    for i, token in enumerate(words):
        follows = next((j for j in range(i + 1, len(words)) if words[j].low not in _JOINTS), None)
        if token.low in _JOINTS and follows is not None and _verb_at(words, follows) is not None:
            if parts[-1]:
                parts.append([])
            continue
        if token.low not in {"then", "also"}:
            parts[-1].append(token)
    return parts


def _described(deeds: Sequence[_Deed], draft: Draft) -> bool:
    """Whether the request describes such records itself, so that another reader is to link them with the number."""
    everything = [token for clause in draft.clauses for token in clause.tokens]
    nouns = {morphology.plural(_noun(deed, "")) for deed in deeds} | {"transactions", "transaction", "movements"}
    told = {b.low for a, b in itertools.pairwise(everything) if a.low in {"a", "an", "each", "every"}}
    plain = {_noun(deed, "") for deed in deeds}
    return bool({t.low for t in everything} & nouns) or bool(told & plain)


def _noun(deed: _Deed, substance: str) -> str:
    """Give what is kept of a deed: a deposit, a withdrawal, an addition of stock."""
    if deed.verb in _OF_SUBSTANCE and substance in _MONEYS:
        return "deposit" if _WAYS[deed.verb] == "increase" else "withdrawal"
    if deed.verb in _OF_SUBSTANCE:
        return f"{substance}_{_OF_SUBSTANCE[deed.verb]}".lstrip("_")
    if deed.verb in _NOUNS:
        return _NOUNS[deed.verb]
    return deed.verb if deed.verb in {"deposit", "credit", "debit", "charge"} else lexicon.deed(deed.verb)


def _changed(
    clause: Clause, subject: Sequence[Token], deeds: Sequence[_Deed], draft: Draft
) -> tuple[DraftEntity, DraftField] | None:
    """Give the thing and its number that every deed of the clause changes; None where that is not sure."""
    named = [m.entity for m in draft.mentions(clause.words)]
    topic = [draft.entities[draft.topic]] if draft.topic in draft.entities else []
    others = list(draft.entities.values()) if not named else []
    for entity in dict.fromkeys([*named, *topic, *others]):
        passive = any(t.low in lexicon.BE for t in subject) and draft.mentions(subject)
        fields = {_dealt_with(deed, entity, draft, passive=bool(passive)) for deed in deeds}
        field = next(iter(fields))
        if len(fields) == 1 and field is not None and all(_understood(deed, entity, deeds, draft) for deed in deeds):
            return entity, field
    return None


def _dealt_with(deed: _Deed, entity: DraftEntity, draft: Draft, *, passive: bool) -> DraftField | None:
    """Give the number of the entity that a deed's object speaks of."""
    words = [t for t in deed.object if t.low not in lexicon.DETERMINERS]
    pointed = [t.low for t in words] in (["it"], ["them"])
    whole = not words if passive else pointed or (bool(words) and draft.known([t.low for t in words]) is entity)
    if whole and (deed.verb in _ON_THE_WHOLE):
        return _holding(entity, "money") or _holding(entity, "stock")
    if len(words) == 1 and (kind := _SYNONYMS.get(words[0].low)) is not None and words[0].low not in draft.entities:
        return _holding(entity, kind)
    read_field = conditions.field_at(words, 0, entity) if words else None
    if read_field is None or read_field[1] != len(words):
        return None
    return read_field[0] if _is_number(read_field[0]) else None


def _holding(entity: DraftEntity, substance: str) -> DraftField | None:
    """Give the one number of an entity that says how much of a substance it has."""
    for wanted in (_SUBSTANCES[substance], {word for words in _SUBSTANCES.values() for word in words}):
        found = [f for n, f in entity.fields.items() if set(n.split("_")) & wanted and _is_number(f)]
        if len(found) == 1:
            return found[0]
    return None


def _is_number(item: DraftField) -> bool:
    return not item.target and not item.managed and not item.values and conditions.kind_of(item) in conditions.NUMBERS


def _understood(deed: _Deed, entity: DraftEntity, deeds: Sequence[_Deed], draft: Draft) -> bool:
    """Whether the words behind an object name the thing and nothing else, but for what the record is to hold."""
    if deed.verb == "charge" and not any(_WAYS[other.verb] == "increase" for other in deeds):
        return False  # charging alone may be either way
    tail = deed.place
    named = {t for m in draft.mentions(tail) for t in tail[m.start : m.end] if m.entity is entity}
    known = lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.PRONOUNS | _SECOND | _SYNONYMS.keys() | {"out"}
    if any(t not in named and t.low not in known for t in tail):
        return False
    second = any(t.low in _SECOND for t in tail)
    return second if _WAYS[deed.verb] == "move" else not second


def _make(deed: _Deed, target: DraftEntity, field: DraftField, draft: Draft, later: Open) -> None:
    """Add the record of a deed, and what it does to the number."""
    way = _WAYS[deed.verb]
    substance = "stock" if set(field.name.split("_")) & _SUBSTANCES["stock"] else field.name.split("_")[0]
    record = draft.entity(_noun(deed, substance), declared=True)
    names = (f"from_{target.name}", f"to_{target.name}") if way == "move" else (target.name,)
    for name in names:
        record.add(DraftField(name, FieldType.REFERENCE, required=True, target=target.name, at=draft.at))
    amount = record.add(_amount(field, draft))
    if deed.details:
        declarations.hold(record, deed.details, draft, later)
    directions: tuple[Literal["increase", "decrease"], ...] = ("decrease", "increase")
    if way != "move":
        directions = (way,)
    for name, direction in zip(names, directions, strict=True):
        draft.mark(draft.add_rule(_effect(record, name, field, direction, amount)))
    if way == "move":
        draft.mark(draft.add_rule(_apart(record, target, names)))
    plain = deed.verb.removesuffix("-out")
    of = "money" if substance in _MONEYS else substance
    draft.deeds[record.name] = f"{plain}-{of}" if deed.verb in _OF_SUBSTANCE else deed.verb
    draft.mark(("entity", record.name), ("field", record.name, amount.name), ("field", target.name, field.name))


def _amount(field: DraftField, draft: Draft) -> DraftField:
    """Give the field that says by how much, a number of the same kind that is above zero."""
    kind = conditions.kind_of(field)
    whole = kind is FieldType.INTEGER
    name = "amount" if not whole else ("points" if "points" in field.name.split("_") else "quantity")
    return DraftField(
        name,
        kind,
        required=True,
        minimum=1 if whole else 0,
        exclusive_minimum=not whole,
        scale=field.scale,
        at=draft.at,
    )


def _effect(
    record: DraftEntity,
    reference: str,
    field: DraftField,
    direction: Literal["increase", "decrease"],
    amount: DraftField,
) -> EffectRule:
    return EffectRule(
        name=morphology.name(
            record.name, reference if reference.startswith(("from_", "to_")) else "create", field.name
        ),
        entity=record.name,
        message=effects.message(field, direction),
        action="create",
        reference=reference,
        field=field.name,
        direction=direction,
        amount=amount.name,
    )


def _apart(record: DraftEntity, target: DraftEntity, names: Sequence[str]) -> RangeRule:
    return RangeRule(
        name=morphology.name(record.name, target.plural, "differ"),
        entity=record.name,
        message=f"The two {target.plural.replace('_', ' ')} of the {record.name.replace('_', ' ')} must differ.",
        field=names[0],
        operator=Operator.NE,
        other=names[1],
    )
