"""Sentences that were once misread, each worded in several ways: what is read out of them, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.neuron.reading import read
from shared.software.specification import ClauseStatus, FieldType

if TYPE_CHECKING:
    from shared.software.specification import Specification


def ordered(specification: Specification) -> list[tuple[str, str, bool]]:
    return [(rule.before, rule.after, rule.strict) for rule in specification.rules if rule.kind == "ordered"]


def fields(specification: Specification, entity: str) -> list[str]:
    return [field.name for field in specification.entity(entity).fields]


def undone(specification: Specification) -> list[str]:
    return [clause.text for clause in specification.clauses if clause.status is ClauseStatus.NOT_DONE]


@pytest.mark.parametrize(
    ("said", "strict"),
    [
        ("The end hour must be greater than the start hour", True),
        ("end hour must be later than start hour", True),
        ("The end hour has to come after the start hour", True),
        ("The end hour must not be before the start hour", False),
        ("The end hour must be at least the start hour", False),
        ("The start hour may not exceed the end hour", False),
        ("The start hour must always be lower than the end hour", True),
    ],
)
def test_fields_are_compared_whatever_their_names_tell_of_their_type(said: str, strict: bool) -> None:
    specification = read(f"An API for shifts. A shift has a date, a start hour and an end hour from 0 to 24. {said}.")
    assert ordered(specification) == [("start_hour", "end_hour", strict)]
    assert undone(specification) == []


def test_texts_that_are_compared_as_amounts_are_numbers() -> None:
    specification = read(
        "An API for walks. A walk has a title, a first stop number and a last stop number. "
        "The first stop number may not exceed the last stop number."
    )
    assert ordered(specification) == [("first_stop_number", "last_stop_number", False)]
    types = {field.name: field.type for field in specification.entity("walk").fields}
    assert types["first_stop_number"] is types["last_stop_number"] is FieldType.INTEGER


@pytest.mark.parametrize("what", ["time in seconds above zero, distance in metres", "weight over 2, height under 3"])
def test_a_bound_of_one_field_compares_it_with_no_other(what: str) -> None:
    assert ordered(read(f"An API for results. A result has a name, {what}.")) == []


@pytest.mark.parametrize(
    "said", ["The caption must be longer than the headline", "The colour must be later than the mood"]
)
def test_a_comparison_that_nothing_keeps_is_not_done(said: str) -> None:
    specification = read(f"An API for posters. A poster has a caption, a headline, a colour and a mood. {said}.")
    assert undone(specification) == [said]


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ("steps to reproduce (optional)", "steps_to_reproduce"),
        ("time to prepare in minutes", "time_to_prepare"),
        ("documents to countersign", "documents_to_countersign"),
        ("an amount to pay", "amount_to_pay"),
    ],
)
def test_what_something_is_for_belongs_to_its_name(named: str, field: str) -> None:
    specification = read(f"An API for dossiers. A dossier has a title, {named} and a remark.")
    assert fields(specification, "dossier") == ["title", field, "remark"]


@pytest.mark.parametrize(
    "said",
    [
        "Hospital wards consist of beds. A ward's name is unique.",
        "Hospital wards have a speciality. A ward has a name, which is unique. Beds have a label.",
    ],
)
def test_the_place_in_front_of_a_thing_makes_no_other_thing(said: str) -> None:
    specification = read(f"An API for a hospital. {said} A bed belongs to exactly one ward.")
    assert {entity.name for entity in specification.entities} == {"ward", "bed"}
    assert [field.target for field in specification.entity("bed").fields if field.target] == ["ward"]
    assert [field.name for field in specification.entity("ward").fields if field.unique] == ["name"]


def test_a_place_that_is_kept_makes_things_of_its_own() -> None:
    specification = read(
        "An API for schools. A school has a name. School classes have a label and belong to a school. "
        "A class has a label, a date and a price."
    )
    assert {"school", "school_class"} <= {entity.name for entity in specification.entities}


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("Employees submit expense claims. An expense claim has an amount and a purpose.", "expense_claim"),
        ("Staff members (name, work email) submit expense claims. A claim has a purpose.", "claim"),
        ("Authors submit papers. A paper has a title and an abstract. Authors have a name.", "paper"),
    ],
)
def test_what_is_submitted_is_its_submitters_and_no_further_thing(said: str, made: str) -> None:
    specification = read(f"An API for an office. {said}")
    assert {entity.name for entity in specification.entities} - {"employee", "staff_member", "author"} == {made}
    assert len([field for field in specification.entity(made).fields if field.target]) == 1


def test_what_is_set_for_many_is_submitted_by_each() -> None:
    specification = read("An API. Students have a name. Students submit assignments. An assignment has a title.")
    assert fields(specification, "assignment") == ["title"]
    assert [field.target for field in specification.entity("submission").fields][:2] == ["student", "assignment"]


@pytest.mark.parametrize("said", ["Assets get handed out to employees", "Assets are distributed to employees"])
def test_what_is_handed_out_is_there_before(said: str) -> None:
    specification = read(f"An API for assets. An asset has a tag. Employees have a name. {said}.")
    assert [field.required for field in specification.entity("asset").fields if field.target] == [False]


@pytest.mark.parametrize(
    ("opening", "kept"),
    [
        ("A swimming club wants to enter results through an API. Results have a time in seconds.", {"result"}),
        ("Our bakery would like to manage its recipes with a REST API. Recipes have a title.", {"recipe"}),
        ("A garage needs to record repairs via an API. A repair has a date and a plate.", {"repair"}),
    ],
)
def test_who_wants_the_software_is_not_kept_by_it(opening: str, kept: set[str]) -> None:
    specification = read(opening)
    assert {entity.name for entity in specification.entities} == kept
    assert not [field for entity in specification.entities for field in entity.fields if "api" in field.name]


@pytest.mark.parametrize(
    "said",
    [
        "A patient books a slot, which is a date and a time.",
        "A slot, which is a date and a time, can be booked by a patient.",
        "Slots are made up of a date and a time. A patient books a slot.",
    ],
)
def test_what_a_thing_is_made_of_is_what_it_holds(said: str) -> None:
    specification = read(f"An API for appointments. Patients have a name. {said}")
    assert fields(specification, "slot") == ["date", "time"]
    assert {entity.name for entity in specification.entities} == {"patient", "slot", "booking"}


@pytest.mark.parametrize(
    ("said", "states"),
    [
        ("Lessons are planned, and a planned lesson can be held or cancelled.", ["planned", "held", "cancelled"]),
        ("Lessons are planned. A planned lesson can be held.", ["planned", "held"]),
        ("A lesson is requested. A requested lesson may be confirmed.", ["requested", "confirmed"]),
    ],
)
def test_a_thing_begins_in_the_state_that_it_is_said_to_be_in_and_leave(said: str, states: list[str]) -> None:
    specification = read(f"An API for lessons. A lesson has a title. {said}")
    machine = specification.entity("lesson").machine
    assert machine is not None
    assert (list(machine.states), machine.initial) == (states, states[0])
    assert {move.sources for move in machine.transitions} == {(states[0],)}
    assert undone(specification) == []
