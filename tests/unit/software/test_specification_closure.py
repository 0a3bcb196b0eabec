"""A specification is refused when a rule, a condition or a derivation does not fit the fields it is about."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.software.closure import faults
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    Condition,
    Derivation,
    Entity,
    FieldSpec,
    FieldType,
    Kind,
    NoOverlapRule,
    Operator,
    OrderedRule,
    QuotaRule,
    RangeRule,
    Report,
    Specification,
    TransitionRule,
)
from tests.unit.software.specification_samples import SAMPLES

T = FieldType
FIELDS = (
    FieldSpec(name="text", type=T.STRING),
    FieldSpec(name="count", type=T.INTEGER),
    FieldSpec(name="price", type=T.DECIMAL),
    FieldSpec(name="day", type=T.DATE),
    FieldSpec(name="at", type=T.DATETIME),
    FieldSpec(name="state", type=T.ENUM, values=("open", "closed")),
    FieldSpec(name="active", type=T.BOOLEAN),
    FieldSpec(name="parent", type=T.REFERENCE, target="parent"),
)
PARENT = Entity(
    name="parent",
    plural="parents",
    fields=(FieldSpec(name="name", type=T.STRING), FieldSpec(name="room", type=T.INTEGER)),
)
RULE: dict[str, Any] = {"name": "r", "entity": "thing", "message": "No."}


def specified(**parts: Any) -> Specification:
    things = Entity(name="thing", plural="things", fields=FIELDS, derivations=parts.pop("derivations", ()))
    whole: dict[str, Any] = {"name": "x", "title": "X", "kind": Kind.API, "request": "x", "entities": (things, PARENT)}
    return Specification.model_validate(whole | parts)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"type": T.STRING, "values": ("1", "2")}, "only enumerations and whole numbers"),
        ({"values": ("1", "2.5"), "minimum": 1, "maximum": 2.5}, "are whole numbers"),
        ({"values": ("1", "02"), "minimum": 1, "maximum": 2}, "are whole numbers"),
        ({"values": ("2", "1"), "minimum": 1, "maximum": 2}, "rise"),
        ({"values": ("1", "1"), "minimum": 1, "maximum": 1}, "rise"),
        ({"values": ("1", "2")}, "the least and the greatest"),
        ({"values": ("1", "2"), "minimum": 1, "maximum": 3}, "the least and the greatest"),
    ],
)
def test_the_only_numbers_of_a_field_are_numbers_in_their_order(given: dict[str, Any], fault: str) -> None:
    field = FieldSpec.model_validate({"name": "size", "type": T.INTEGER, **given})
    entity = Entity(name="tyre", plural="tyres", fields=(field,))
    with pytest.raises(ValidationError, match=f"/entities/0/fields/0: .*{fault}"):
        specified(entities=(entity,))


def test_the_only_numbers_of_a_field_are_read_as_such() -> None:
    field = FieldSpec(name="size", type=T.INTEGER, values=("-1", "0", "30"), minimum=-1, maximum=30)
    specification = specified(entities=(Entity(name="tyre", plural="tyres", fields=(field,)),))
    assert specification.entities[0].fields[0].numbers == (-1, 0, 30)
    assert FieldSpec(name="size", type=T.ENUM, values=("1", "2")).numbers == ()


@pytest.mark.parametrize(
    "rule",
    [
        CapacityRule(**RULE, reference="parent", limit_field="name"),
        CapacityRule(**RULE, reference="parent", limit_field="room", weight_field="text"),
        QuotaRule(**RULE, reference="parent", limit=3, weight_field="state"),
        QuotaRule(**RULE, reference="parent", limit=3, period="day", period_field="count"),
        QuotaRule(**RULE, reference="nothing", limit=3),
        OrderedRule(**RULE, before="text", after="day"),
        NoOverlapRule(**RULE, start="count", end="at"),
        RangeRule(**RULE, field="text", operator=Operator.LT, value=3),
        RangeRule(**RULE, field="day", operator=Operator.LT, value=3),
        RangeRule(**RULE, field="count", operator=Operator.LT, other="parent.name"),
        AggregateRule(**RULE, field="text", of="thing", reference="parent", function="count"),
        TransitionRule(
            **RULE, action="create", requires=(Condition(field="state", operator=Operator.EQ, value="lost"),)
        ),
        TransitionRule(**RULE, action="create", requires=(Condition(field="active", operator=Operator.EQ, value=1),)),
        TransitionRule(**RULE, action="create", requires=(Condition(field="text", operator=Operator.GT, value="a"),)),
        TransitionRule(**RULE, action="create", requires=(Condition(field="count", operator=Operator.EQ, value="a"),)),
        TransitionRule(**RULE, action="fly", requires=()),
    ],
    ids=lambda rule: rule.kind,
)
def test_a_rule_that_does_not_fit_its_fields_is_refused(rule: Any) -> None:
    with pytest.raises(ValidationError, match="/rules/0"):
        specified(rules=(rule,))


@pytest.mark.parametrize(
    "rule",
    [
        CapacityRule(**RULE, reference="parent", limit_field="room", weight_field="count"),
        QuotaRule(**RULE, reference="parent", limit=3, period="day", period_field="created_at"),
        OrderedRule(**RULE, before="day", after="at"),
        RangeRule(**RULE, field="count", operator=Operator.LE, other="parent.room"),
        RangeRule(**RULE, field="price", operator=Operator.LE, value="9.50"),
        TransitionRule(
            **RULE,
            action="create",
            requires=(
                Condition(field="day", operator=Operator.LT, other="today"),
                Condition(field="price", operator=Operator.GT, value="0.10"),
                Condition(field="state", operator=Operator.IN, value=("open", "closed")),
            ),
        ),
    ],
    ids=lambda rule: rule.kind,
)
def test_a_rule_that_fits_is_taken(rule: Any) -> None:
    assert not faults(specified(rules=(rule,)))


def test_what_is_derived_must_be_a_date_or_a_moment() -> None:
    with pytest.raises(ValidationError, match="count is no date or moment"):
        specified(derivations=(Derivation(field="count", days=1),))
    assert specified(derivations=(Derivation(field="day", base="at", days=1),))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"entity": "lamp"}, "lamp is no entity"),
        ({"by": "colour"}, "colour is no field of thing whose values can be told apart"),
        ({"by": "parent"}, "parent is no field of thing whose values can be told apart"),
        ({"by": "day"}, "told apart by a period"),
        ({"period": "month"}, "told apart by a period"),
        ({"function": "sum"}, "every other figure of one"),
        ({"of": "price"}, "a count is of no field"),
        ({"function": "sum", "of": "text"}, "text is no numeric field"),
        ({"when": (Condition(field="state", operator=Operator.EQ, value="lost"),)}, "state is never lost"),
    ],
)
def test_a_report_that_does_not_fit_its_fields_is_refused(given: dict[str, Any], fault: str) -> None:
    report = {"name": "r", "entity": "thing", "by": "state", "function": "count"}
    with pytest.raises(ValidationError, match=f"/reports/0: .*{fault}"):
        specified(reports=(Report.model_validate(report | given),))


def test_a_report_that_fits_is_taken() -> None:
    by_day = Report(name="a", entity="thing", by="at", period="day", function="sum", of="price")
    by_state = Report(name="b", entity="thing", by="state", function="count")
    assert specified(reports=(by_day, by_state)).reports == (by_day, by_state)
    with pytest.raises(ValidationError, match="/reports: a is there 2 times"):
        specified(reports=(by_day, by_day))


@pytest.mark.parametrize("make", SAMPLES)
def test_a_specification_survives_json(make: Any) -> None:
    specification = make()
    assert Specification.model_validate_json(specification.model_dump_json()) == specification
    assert Specification.model_json_schema()["$defs"]["Entity"]
