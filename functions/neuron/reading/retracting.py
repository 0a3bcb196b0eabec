"""Takes back what only clauses gave rise to that turned out not to be done.

A reader marks what it makes of a clause; when the clause is doubted afterwards, what it made is half a rule: a limit
without the condition that it was to hold under, a state that nobody spoke of. Promises: rules, views, reports, moments,
moves and machines that no clause stands for which is done are gone, with the fields that only they set and the
conditions on them; the clause keeps the reason for which it was doubted. Does not take back entities and plain fields,
nor the life of what a deed makes (a loan is returned): that something is kept is seldom what was misread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import states
from shared.software.specification import AggregateRule, ClauseStatus, ComputedRule, TransitionRule

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, Mark
    from shared.software.specification import Condition, Specification


def retract(draft: Draft, made: Specification) -> bool:
    """Take back what no done clause stands for; gives whether there was anything.

    Args:
        draft: What was read; changed in place.
        made: The specification that was made of it, its clauses judged.
    """
    kept: set[Mark] = set()
    doubted: dict[Mark, None] = {}
    reasons: dict[int, str] = {}
    for at, clause in enumerate(draft.clauses):
        parts = [part for part in made.clauses if clause.start <= part.start and part.end <= clause.end]
        if any(part.status is ClauseStatus.DONE for part in parts):
            kept.update(draft.marks.get(at, ()))
        elif parts:
            doubted |= dict.fromkeys(draft.marks.get(at, ()))
            reasons[at] = parts[0].reason
    gone = [_retracted(draft, mark, kept) for mark in doubted if mark not in kept]
    if any(gone):
        draft.reasons |= reasons
        states.complete(draft)
    return any(gone)


def _retracted(draft: Draft, mark: Mark, kept: set[Mark]) -> bool:
    match mark[0]:
        case "rule":
            return _rule(draft, mark, kept)
        case "view":
            return draft.views.pop(mark[1], None) is not None
        case "report":
            return draft.reports.pop(mark[1], None) is not None
        case "derivation":
            return _derivation(draft, mark, kept)
        case "transition":
            return _transition(draft, mark)
        case "machine":
            return _machine(draft, mark, kept)
        case _:
            return False


def _rule(draft: Draft, mark: Mark, kept: set[Mark]) -> bool:
    rule = draft.rules.pop(mark[1], None)
    if isinstance(rule, AggregateRule | ComputedRule):
        _field(draft, rule.entity, rule.field, kept)
    return rule is not None


def _derivation(draft: Draft, mark: Mark, kept: set[Mark]) -> bool:
    entity = draft.entities.get(mark[1])
    if entity is None or entity.derivations.pop(mark[2], None) is None:
        return False
    _field(draft, mark[1], mark[2], kept)
    return True


def _transition(draft: Draft, mark: Mark) -> bool:
    entity = draft.entities.get(mark[1])
    if entity is None or entity.machine is None or entity.link_verb is not None:
        return False
    return entity.machine.transitions.pop(mark[2], None) is not None


def _machine(draft: Draft, mark: Mark, kept: set[Mark]) -> bool:
    entity = draft.entities.get(mark[1])
    if entity is None or entity.machine is None or entity.link_verb is not None:
        return False
    if any(other[:2] == ("transition", mark[1]) for other in kept):
        return False
    field = entity.machine.field
    entity.machine = None
    _field(draft, entity.name, field, kept)
    if field not in entity.fields:
        _conditions_on(draft, entity.name, field)
    return True


def _conditions_on(draft: Draft, entity: str, field: str) -> None:
    """Take the conditions on a field that is gone off all rules and views, and with them guards that had no other."""
    for name, rule in list(draft.rules.items()):
        if isinstance(rule, TransitionRule):
            requires = _left(draft, rule.entity, rule.requires, entity, field)
            draft.rules[name] = rule.model_copy(update={"requires": requires})
            if not requires:
                del draft.rules[name]
            continue
        checked = getattr(rule, "of", rule.entity)
        when: tuple[Condition, ...] = getattr(rule, "when", ())
        if when:
            draft.rules[name] = rule.model_copy(update={"when": _left(draft, checked, when, entity, field)})
    for name, view in draft.views.items():
        left = _left(draft, view.entity, view.when, entity, field)
        draft.views[name] = view.model_copy(update={"when": left})
    for name, report in draft.reports.items():
        left = _left(draft, report.entity, report.when, entity, field)
        draft.reports[name] = report.model_copy(update={"when": left})


def _left(
    draft: Draft, checked: str, conditions: tuple[Condition, ...], entity: str, field: str
) -> tuple[Condition, ...]:
    """Give the conditions on `checked` that do not look at the field of the entity."""
    fields = draft.entities[checked].fields if checked in draft.entities else {}
    gone = {field} if checked == entity else set()
    gone |= {f"{name}.{field}" for name, item in fields.items() if item.target == entity}
    return tuple(condition for condition in conditions if condition.field not in gone)


def _field(draft: Draft, entity: str, name: str, kept: set[Mark]) -> None:
    """Take back a field that the software was to set, or let it be given when a done clause lists it."""
    fields = draft.entities[entity].fields
    if ("field", entity, name) not in kept:
        fields.pop(name, None)
    elif name in fields:
        fields[name].managed = False
