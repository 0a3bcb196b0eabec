"""Reads what creating or moving something changes elsewhere: "when an order is placed, the stock goes down".

Promises: an effect only where something refers to what is changed, by an amount of the same kind of number. What is
said of too little ("if there is not enough stock the order is rejected") holds the number to its lower bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology
from functions.neuron.reading.draft import DraftField
from shared.software.specification import Condition, EffectRule, FieldType, Operator, RangeRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_DOWN: Final = lexicon.words("decrease reduce lower deduct subtract decrement diminish debit")
_UP: Final = lexicon.words("increase raise increment restore replenish restock credit")
_PARTICLES: Final = {"down": "decrease", "up": "increase", "back": "increase", "off": "decrease"}
_MOVING: Final = lexicon.words("go come put give take add return")
_AMOUNTS: Final = ("quantity", "amount", "number", "count", "units", "copies", "hours", "points")
_STOCKS: Final = lexicon.words("stock inventory balance quantity units copies available remaining")
_CREATING: Final = lexicon.words(
    "place create make add buy sell order record register submit book purchase enter receive deliver issue file log "
    "happen occur"
)


def message(field: DraftField, direction: str) -> str:
    """Say why an effect is refused that takes the number beyond its bounds."""
    noun = field.name.replace("_", " ")
    return f"There is not enough {noun}." if direction == "decrease" else f"That changes the {noun}."


def effect(r: Reading, draft: Draft) -> bool:
    """Read "when an order is placed, the stock of the product goes down", "a sale reduces the stock"."""
    direction = _direction(r.words)
    if direction is None or r.frame.negated:
        return False
    for trigger, target, field in _ways(r, draft):
        action = _action(r, trigger)
        amount = _amount(r.words, trigger, field)
        reference = trigger.reference_to(target.name)
        if action is None or amount is False or reference is None:
            continue
        rule = EffectRule(
            name=morphology.name(trigger.name, action, field.name),
            entity=trigger.name,
            message=message(field, direction),
            action=action,
            reference=reference.name,
            field=field.name,
            direction="decrease" if direction == "decrease" else "increase",
            amount=amount.name if isinstance(amount, DraftField) else None,
            when=_kind(r.words, trigger),
        )
        return draft.mark(
            draft.add_rule(rule), ("field", target.name, field.name), ("field", trigger.name, reference.name)
        )
    return False


def _direction(words: Sequence[Token]) -> str | None:
    for i, token in enumerate(words):
        if token.verb in _DOWN:
            return "decrease"
        if token.verb in _UP:
            return "increase"
        if token.verb in _MOVING:
            near = [t.low for t in words[i + 1 : i + 4]]
            particle = next((low for low in near if low in _PARTICLES), None)
            if particle == "back" and any(
                a == "to" and b.value is not None for a, b in zip(near, words[i + 2 :], strict=False)
            ):
                return None  # "the stamps go back to 0"
            if particle is not None:
                return _PARTICLES[particle]
    return None


def _ways(r: Reading, draft: Draft) -> Iterator[tuple[DraftEntity, DraftEntity, DraftField]]:
    """Give what may be meant, the likeliest first: (what has the effect, what is changed, the number there)."""
    named = [m.entity for m in draft.mentions(r.words)]
    for target, field in _targets(r, draft):
        _refer_by_kind(r, draft, target)
        candidates = [e for e in draft.entities.values() if e is not target and e.reference_to(target.name)]
        verbs = {t.verb for t in r.words if t.verb}
        made = [e for e in candidates if any(closing.makes(verb, e) for verb in verbs)]
        inside = [e for e in candidates if any(e.reference_to(m.name) for m in named if m is not target)]
        kinds = [e for e in candidates if _kind(r.words, e)]
        for entity in dict.fromkeys([*kinds, *(e for e in candidates if e in named), *inside, *made]):
            yield entity, target, field
        if len(candidates) == 1:
            yield candidates[0], target, field


def _targets(r: Reading, draft: Draft) -> Iterator[tuple[DraftEntity, DraftField]]:
    lows = set(r.lows)
    for entity in draft.entities.values():
        spoken = conditions.find_field(r.words, entity)
        field = spoken[0] if spoken is not None else None
        if field is None and lows & {"stock", "inventory"}:
            field = next((f for n, f in entity.fields.items() if _STOCKS & set(n.split("_"))), None)
        if (
            field is not None
            and not field.target
            and not field.managed
            and conditions.kind_of(field) in conditions.NUMBERS
        ):
            yield entity, field
    before = [rule for rule in draft.rules.values() if isinstance(rule, EffectRule)]
    if before and "it" in lows:
        reference = draft.entities[before[-1].entity].fields[before[-1].reference]
        parent = draft.entities[reference.target or ""]
        yield parent, parent.fields[before[-1].field]


def _refer_by_kind(r: Reading, draft: Draft, target: DraftEntity) -> None:
    """Let a transaction refer to the account that its deposits increase."""
    for entity in draft.entities.values():
        if entity is not target and _kind(r.words, entity) and entity.reference_to(target.name) is None:
            added = DraftField(target.name, FieldType.REFERENCE, target=target.name)
            entity.fields = {target.name: added, **entity.fields}


def _kind(words: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...]:
    """Read "a deposit" as a transaction whose type is deposit."""
    for field in entity.fields.values():
        for value in field.values:
            if field.name in {"type", "kind", "direction", "category"} and value in {t.singular for t in words}:
                return (Condition(field=field.name, operator=Operator.EQ, value=value),)
    return ()


def _action(r: Reading, entity: DraftEntity) -> str | None:
    """Give the action that has the effect: a move when its verb is said, else creation."""
    verbs = [t.verb for t in r.words if t.verb and t.verb not in _DOWN | _UP | _MOVING | lexicon.BE | {"be"}]
    moves = entity.machine.transitions.values() if entity.machine is not None else ()
    for verb in verbs:
        participle = morphology.name(morphology.participle(verb))
        for move in moves:
            if move.name == verb or morphology.name(move.target) == participle:
                return move.name
    said = [t for _, tokens in r.frame.conditions if not {t.low for t in tokens} & _TOO_LITTLE for t in tokens]
    doing = [t.verb for t in said if t.verb and t.verb != "be"]
    return "create" if not doing or any(verb in _CREATING or closing.makes(verb, entity) for verb in doing) else None


def _amount(words: Sequence[Token], entity: DraftEntity, field: DraftField) -> DraftField | bool:
    """Give the field that says by how much; True when it is by one, False when it is by something unknown."""
    by = next((i for i, t in enumerate(words) if t.low == "by" and i), None)
    if by is not None:
        read = conditions.find_field(words, entity, by)
        if read is None and any(t.value == 1 for t in words[by : by + 3]):
            return True
        if read is not None and read[1] - by <= _NEAR:
            return read[0] if _fits(read[0], field) else False
    usual = [
        f for n, f in entity.fields.items() if set(n.split("_")) & set(_AMOUNTS) and not f.managed and not f.target
    ]
    fitting = [f for f in usual if conditions.kind_of(f) in conditions.NUMBERS]
    if not fitting:
        return True
    best = min(fitting, key=lambda f: (f.name not in _AMOUNTS, f.name != field.name))
    return best if _fits(best, field) else False


_NEAR: Final = 6


def _fits(amount: DraftField, field: DraftField) -> bool:
    kinds = conditions.kind_of(amount), conditions.kind_of(field)
    return kinds[0] is kinds[1] or kinds == (FieldType.INTEGER, FieldType.DECIMAL)


_REFUSING: Final = lexicon.words(
    "reject refuse decline fail deny forbid block prohibit allow accept place order sell buy withdraw exceed go drop "
    "fall become be have take"
)
_TOO_LITTLE: Final = lexicon.words(
    "enough sufficient insufficient below negative more available zero than exceed exceeds"
)


def too_little(r: Reading, draft: Draft) -> bool:
    """Read "if there is not enough stock the order is rejected", "the stock can never go below zero"."""
    lows = set(r.lows)
    denied = r.frame.negated or bool(lows & (lexicon.NEGATIONS | {"insufficient", "without"}))
    rejected = any(t.verb in {"reject", "refuse", "decline", "fail", "deny"} for t in r.words)
    if not (denied or rejected) or not lows & _TOO_LITTLE or not {t.verb for t in r.words} & _REFUSING:
        return False
    found = False
    for rule in [rule for rule in draft.rules.values() if isinstance(rule, EffectRule)]:
        trigger = draft.entities[rule.entity]
        target = draft.entities[trigger.fields[rule.reference].target or ""]
        words = {*rule.field.split("_"), *target.words, *(_STOCKS if {"stock"} & set(rule.field.split("_")) else ())}
        if rule.direction == "decrease" and words & {t.singular for t in r.words}:
            field = target.fields[rule.field]
            field.minimum = 0 if field.minimum is None else field.minimum
            found = draft.mark(("rule", rule.name), ("field", target.name, field.name))
    return found or _beyond_stock(r, draft)


def _beyond_stock(r: Reading, draft: Draft) -> bool:
    """Read "nobody can order more than is in stock" where the stock itself does not change."""
    lows = set(r.lows)
    if (
        not lows & {"stock", "available"}
        or "than" not in lows
        or any(isinstance(k, EffectRule) for k in draft.rules.values())
    ):
        return False
    for entity in draft.entities.values():
        amount = next((entity.fields[n] for n in _AMOUNTS if n in entity.fields), None)
        for reference in list(entity.fields.values()):
            target = draft.entities.get(reference.target or "")
            stock = next((f for n, f in target.fields.items() if "stock" in n.split("_")), None) if target else None
            if amount is None or stock is None or conditions.kind_of(amount) is not conditions.kind_of(stock):
                continue
            rule = RangeRule(
                name=morphology.name(entity.name, amount.name, "bound"),
                entity=entity.name,
                message=message(stock, "decrease"),
                field=amount.name,
                operator=Operator.LE,
                other=f"{reference.name}.{stock.name}",
            )
            return draft.mark(draft.add_rule(rule))
    return False


READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (effect,)
BOUNDS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (too_little,)
