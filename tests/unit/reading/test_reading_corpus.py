"""Requests of many domains are read into what they ask for: entities, fields, rules, views, computations."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from functions.neuron.reading import read
from shared.software.specification import ClauseStatus, FieldType

MENDED = (
    "corpus", "heldout", "gained", "heldout_again", "heldout_third", "heldout_fifth", "heldout_eighth", "heldout_ninth",
    "heldout_tenth", "heldout_eleventh", "heldout_twelfth", "heldout_thirteenth", "heldout_fourteenth", "libraries",
    "crafts", "heldout_sixteenth", "heldout_seventeenth",
)  # fmt: skip
CASES = [
    case for name in MENDED for case in tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text())["case"]
]
FRESH = [
    case
    for name in ("heldout_fourth", "heldout_sixth", "heldout_seventh")
    for case in tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text())["case"]
]
ACTORS = {"voter", "customer", "reader"}  # kept only because they do something
JOINTS = r"\b(?:and|but|or|so|where|then|also|while|in which|additionally|to)\b"


def conditions(parts: Any) -> Any:
    return "".join(f" {c.field} {c.operator.value} {against(c)}" for c in parts)


def against(condition: Any) -> Any:
    if condition.other is not None:
        return condition.other
    return ",".join(condition.value) if isinstance(condition.value, tuple) else condition.value


def number(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def of_field(entity: Any, field: Any) -> Any:
    """Say everything about a field, one statement a line."""
    head = f"field {entity.name}.{field.name}"
    kind = () if field.values else (field.type.value,)
    return f"{head} {' '.join([*kind, *of_presence(field), *of_limits(field)])}".strip()


def of_presence(field: Any) -> Any:
    bits = ["|".join(field.values)] if field.values else []
    if field.unique:
        bits.append("unique")
    if not field.required and field.default is None and not field.managed:
        bits.append("optional")
    return [*bits, "immutable"] if field.immutable else bits


def of_limits(field: Any) -> Any:
    bits = []
    if field.minimum is not None:
        bits.append(f"{'above' if field.exclusive_minimum else 'min'} {number(field.minimum)}")
    if field.maximum is not None:
        bits.append(f"{'below' if field.exclusive_maximum else 'max'} {number(field.maximum)}")
    if field.max_length not in {None, 200} or (field.min_length or 0) > 1:
        bits.append(f"length {field.min_length or ''}..{field.max_length}")
    if field.default is not None:
        bits.append(f"default {field.default}")
    if field.type is FieldType.DECIMAL:
        bits.append(f"scale {field.scale}")
    return [*bits, f"pattern {field.pattern}"] if field.pattern is not None else bits


def of_change(rule: Any, tail: Any) -> Any:
    if rule.kind == "computed":
        return f"computed {rule.entity}.{rule.field} = {rule.expression}"
    changed = f"{rule.reference}.{rule.field} {rule.amount or 1}"
    return f"effect {rule.entity} {rule.action} {rule.direction} {changed}{tail}"


def of_time(rule: Any, tail: Any) -> Any:
    if rule.kind == "ordered":
        return f"ordered {rule.entity} {rule.before} {rule.after}{'' if rule.strict else ' loose'}"
    return f"overlap {rule.entity} {rule.start} {rule.end} per {','.join(rule.per)}{tail}"


def of_rule(rule: Any) -> Any:
    """Say what a rule holds."""
    when = getattr(rule, "when", ())
    tail = f" when{conditions(when)}" if when else ""
    match rule.kind:
        case "quota":
            per = ",".join([rule.reference or "all", *rule.also])
            return f"quota {rule.entity} per {per} max {rule.limit}{f' a {rule.period}' if rule.period else ''}{tail}"
        case "capacity":
            weight = f" weight {rule.weight_field}" if rule.weight_field else ""
            return f"capacity {rule.entity} {rule.reference}.{rule.limit_field}{weight}{tail}"
        case "unique":
            return f"unique {rule.entity} {' '.join(rule.fields)}{tail}"
        case "ordered" | "no_overlap":
            return of_time(rule, tail)
        case "transition":
            return f"guard {rule.entity} {rule.action}{conditions(rule.requires)}"
        case "aggregate":
            return f"aggregate {rule.entity}.{rule.field} {rule.function} {rule.of} {rule.expression or ''}".strip()
        case "computed" | "effect":
            return of_change(rule, tail)
        case "referenced":
            return f"referenced {rule.entity} by {rule.of}{' cascade' if rule.cascade else ''}{tail}"
        case "range":
            return f"range {rule.entity} {rule.field} {rule.operator.value} {rule.other or rule.value}"


def of_computation(computation: Any) -> Any:
    """Say what a computation gives, refuses and presumes."""
    said = [f"computes {computation.name}"]
    if computation.cases:
        cases = " else ".join(f"{c.expression}{f' if {c.when}' if c.when else ''}" for c in computation.cases)
        said.append(f"computes {computation.name} = {cases}")
    said += [f"refuses {computation.name} {c.when}" for c in computation.refuses]
    return said + [f"default {computation.name}.{p.name} {p.default}" for p in computation.parameters]


def describe(specification: Any) -> Any:
    """Say all that a specification holds, one statement for each part."""
    said = []
    for entity in specification.entities:
        said += [of_field(entity, field) for field in entity.fields]
        said += [f"derived {entity.name}.{d.field} {d.base}+{d.days}d" for d in entity.derivations]
        if entity.machine:
            said.append(f"machine {entity.name} {'->'.join(entity.machine.states)}")
            for move in entity.machine.transitions:
                said.append(f"move {entity.name} {move.name} {','.join(move.sources)}->{move.target}")
    said += [of_rule(rule) for rule in specification.rules]
    said += [f"relation {relation.left} {relation.right}" for relation in specification.relations]
    for told in specification.reports:
        by = f"{told.by}{f' {told.period}' if told.period else ''}"
        said.append(f"report {told.entity} {told.function} {told.of or ''} by {by}{conditions(told.when)}")
    for view in specification.views:
        said += [f"view {view.name}{conditions(view.when)}", f"view{conditions(view.when)}"]
        said.append(f"view {view.name} by {view.sort}{' descending' if view.descending else ''} first {view.limit}")
    said += [f"searches {part.entity} {name}" for part in specification.listings for name in part.search]
    said += [line for computation in specification.computations for line in of_computation(computation)]
    said += [f"structure {structure.name}" for structure in specification.structures]
    commands = specification.command_line.commands if specification.command_line else ()
    return said + [f"command {command.name}" for command in commands]


def found(wanted: Any, said: Any) -> Any:
    """Whether a statement is made: for fields and commands its words in order, else itself or its beginning."""
    if wanted.startswith("field "):
        words = wanted.split()
        return any(line.split()[:2] == words[:2] and holds(words[2:], line.split()[2:]) for line in said)
    return any(line == wanted or line.startswith(f"{wanted} when") for line in said)


def holds(wanted: Any, words: Any) -> Any:
    rest = iter(words)
    return all(word in rest for word in wanted)


def missing(case: Any) -> Any:
    """Give what a case misses: (entities, fields, parts, undone, all entities, all fields)."""
    specification = read(case["request"])
    entities = {entity.name: {field.name for field in entity.fields} for entity in specification.entities}
    wanted = {name: fields.split() for name, fields in case.get("entities", {}).items()}
    said = describe(specification)
    undone = [clause.text for clause in specification.clauses if clause.status is ClauseStatus.NOT_DONE]
    done = [clause.text for clause in specification.clauses if clause.status is ClauseStatus.DONE]
    return {
        "entities": [name for name in wanted if name not in entities],
        "fields": [
            f"{n}.{field}" for n, fields in wanted.items() for field in fields if field not in entities.get(n, ())
        ],
        "further entities": [name for name in entities if wanted and name not in {*wanted, *ACTORS}],
        "parts": [part for part in case.get("parts", ()) if not found(part, said)],
        "not_done": [text for text in case.get("not_done", ()) if not any(text in clause for clause in undone)],
        "done": [text for text in case.get("done", ()) if not any(text in clause for clause in done)],
        "without": [part for part in case.get("without", ()) if found(part, said)],
        "name": [specification.name] if case.get("name", specification.name) != specification.name else [],
        "kind": [specification.kind.value] if specification.kind != case.get("kind", "api") else [],
    }


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case['request'][:40]}" for i, case in enumerate(CASES)])
def test_request_is_read(case: Any) -> None:
    assert {key: value for key, value in missing(case).items() if value} == {}


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case['request'][:40]}" for i, case in enumerate(CASES)])
def test_every_clause_has_its_place(case: Any) -> None:
    request = case["request"]
    specification = read(request)
    end = 0
    for clause in specification.clauses:
        assert clause.start >= end
        assert request[clause.start : clause.end] == clause.text
        between = request[end : clause.start]
        assert not re.search(r"\w", re.sub(JOINTS, "", between)), between
        end = clause.end
        assert bool(clause.implements) == (clause.status is ClauseStatus.DONE)
        assert bool(clause.reason) == (clause.status is ClauseStatus.NOT_DONE)
    assert all(not c.isalnum() for c in request[end:])


def test_recall_over_the_corpus() -> None:
    entities = fields = missed_entities = missed_fields = 0
    for case in CASES:
        lacks = missing(case)
        wanted = case.get("entities", {})
        entities += len(wanted)
        fields += sum(len(names.split()) for names in wanted.values())
        missed_entities += len(lacks["entities"])
        missed_fields += len(lacks["fields"])
    assert missed_entities <= entities * 0.05
    assert missed_fields <= fields * 0.10


def test_what_is_reached_on_the_newest_requests_is_kept() -> None:
    lacks = [missing(case) for case in FRESH]
    entities = sum(len(case.get("entities", {})) for case in FRESH)
    fields = sum(len(names.split()) for case in FRESH for names in case.get("entities", {}).values())
    assert entities - sum(len(lack["entities"]) for lack in lacks) >= 128
    assert fields - sum(len(lack["fields"]) for lack in lacks) >= 450


def test_reference_fields_have_targets() -> None:
    for case in CASES:
        for entity in read(case["request"]).entities:
            assert all(field.target for field in entity.fields if field.type is FieldType.REFERENCE)
