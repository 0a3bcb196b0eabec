"""The catalogue: events are made and read through their models, and what is wrong is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel

from events import CloudEvent, MalformedEvent, catalogue, codec
from events.catalogue.codegen import ProjectRequested
from events.catalogue.neuron import RunRequested, StepAnswered
from events.catalogue.upkeep import SweepRequested
from shared.identifiers import new_id
from shared.permissions import PERMISSIONS

ORG = UUID("01928374-aaaa-7bbb-8ccc-0123456789ab")
SOURCE = catalogue.source("codegen", "eu-central")


def _requested(**changes: object) -> CloudEvent:
    event = catalogue.new(
        ProjectRequested(request="A library"),
        id="p1",
        subject="p1",
        org_id=ORG,
        source=SOURCE,
        time=datetime(2026, 11, 23, tzinfo=UTC),
    )
    return event.replace(**changes)


def test_an_event_of_the_catalogue_goes_out_and_comes_back() -> None:
    event = _requested()
    assert event.type == "ai.hal9.codegen.project.requested"
    assert event.source == "/regions/eu-central/functions/codegen"
    assert event.time == "2026-11-23T00:00:00Z"
    assert event.orgid == str(ORG)
    again = codec.decode(*codec.to_binary(event))
    assert again == event
    assert catalogue.parse(again) == ProjectRequested(request="A library")


def test_causes_are_kept() -> None:
    first = _requested()
    data = RunRequested(run_id=new_id(), process="software", input={})
    second = catalogue.new(data, id="r", subject=None, org_id=ORG, source=SOURCE, cause=first)
    third = catalogue.new(
        data, id="s", subject=None, org_id=ORG, source=SOURCE, cause=second, executor="neuron-l4", partitionkey=None
    )
    assert (second.extensions["causationid"], second.extensions["correlationid"]) == ("p1", "p1")
    assert (third.extensions["causationid"], third.extensions["correlationid"]) == ("r", "p1")
    assert third.extensions["executor"] == "neuron-l4"
    assert "partitionkey" not in third.extensions


def test_the_organisation_must_be_there_exactly_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="needs an organisation"):
        catalogue.new(ProjectRequested(request="x"), id="1", subject=None, org_id=None, source=SOURCE)
    with pytest.raises(ValueError, match="has no organisation"):
        catalogue.new(SweepRequested(), id="1", subject=None, org_id=ORG, source=SOURCE)

    class Stranger(BaseModel):
        pass

    with pytest.raises(ValueError, match="not in the catalogue"):
        catalogue.new(Stranger(), id="1", subject=None, org_id=ORG, source=SOURCE)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"type": "com.example.own"}, "/type"),
        ({"type": "ai.hal9.codegen.project.unknown"}, "/type"),
        ({"datacontenttype": "text/plain"}, "/datacontenttype"),
        ({"data": None}, "/data"),
        ({"data": b"{"}, "/data"),
        ({"data": b'{"request":"a","request":"b"}'}, "/data"),
        ({"data": b"{}"}, "/data/request"),
        ({"data": b'{"request":"a","more":1}'}, "/data/more"),
        ({"data": b'{"request":5}'}, "/data/request"),
    ],
)
def test_what_the_type_does_not_take_is_refused(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        catalogue.parse(_requested(**changes))
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


@pytest.mark.parametrize("text", [r'{"request": "a\u0000b"}', r'{"request": "a", "\u0000": 1}'])
def test_what_no_database_holds_is_refused(text: str) -> None:
    with pytest.raises(MalformedEvent, match=r"U\+0000"):
        catalogue.parse(_requested(data=text.encode()))


def test_an_escaped_backslash_before_digits_is_no_nul() -> None:
    assert catalogue.parse(_requested(data=rb'{"request": "a\\u0000b"}')).request == r"a\u0000b"


def test_what_was_refused_is_not_told() -> None:
    with pytest.raises(MalformedEvent) as refused:
        catalogue.parse(_requested(data=b'{"request":{"password":"hunter2"}}'))
    assert "hunter2" not in str(refused.value)


def test_names_and_permissions_are_sound() -> None:
    known = catalogue.types()
    assert len(known) >= 11
    for name, one in known.items():
        assert one.function in ("codegen", "neuron", "upkeep"), name
        assert one.permission is None or one.permission in PERMISSIONS
        assert one.model.__doc__
    assert {name for name, one in known.items() if one.permission} == {"ai.hal9.codegen.project.requested"}
    with pytest.raises(ValueError, match="already"):
        catalogue.event_type("ai.hal9.upkeep.sweep.requested")(SweepRequested)
    with pytest.raises(ValueError, match="form"):
        catalogue.event_type("ai.hal9.sweep")


def test_a_model_for_a_customers_own_type() -> None:
    class Paid(BaseModel):
        amount: int

    event = CloudEvent(id="1", source="/s", type="com.example.paid", data=b'{"amount": 5}')
    assert catalogue.parse_as(Paid, event) == Paid(amount=5)


def test_answers_carry_any_output() -> None:
    answer = StepAnswered(run_id=new_id(), step_id=new_id(), epoch=1, outcome="completed", output={"deep": [1, None]})
    event = catalogue.new(answer, id="a", subject=None, org_id=ORG, source=SOURCE)
    assert catalogue.parse(event) == answer
    assert json.loads(event.data or b"")["output"] == {"deep": [1, None]}


def test_data_of_nothing_but_unknown_members_costs_no_fault_for_each() -> None:
    """A fault for each took 82 MB for half a megabyte of them."""
    few, many = ({f"m{number}": 1 for number in range(count)} for count in (90, 60_000))
    pointers: list[int] = []
    for members in (few, many):
        event = CloudEvent(
            id="1",
            source="/s",
            type="ai.hal9.codegen.project.requested",
            datacontenttype="application/json",
            data=json.dumps(members).encode(),
        )
        with pytest.raises(MalformedEvent) as caught:
            catalogue.parse(event)
        pointers.append(len(caught.value.faults))
    assert pointers == [91, 1]
