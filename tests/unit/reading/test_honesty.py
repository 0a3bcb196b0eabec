"""What was read in part is not called done."""

from __future__ import annotations

import pytest

from functions.neuron.reading import UnreadableError, read
from shared.software.specification import ClauseStatus

HALF_READ = [
    (
        "An API for support: tickets have a title and can be open or closed. "
        "Agents have a name and may have at most 5 tickets in progress at once.",
        "at most 5 tickets",
    ),
    (
        "A Python library with a function that checks whether a string is a valid IBAN and a function that formats an "
        "IBAN in groups of four",
        "groups of four",
    ),
]


@pytest.mark.parametrize(("request_text", "half"), HALF_READ)
def test_a_number_that_nothing_stands_for_makes_its_clause_not_done(request_text: str, half: str) -> None:
    specification = read(request_text)
    (clause,) = [clause for clause in specification.clauses if half in clause.text]
    built = str(specification.model_dump(exclude={"request", "clauses"}))
    number = half.split()[-1] if "four" in half else "5"
    assert clause.status is ClauseStatus.NOT_DONE or number in built
    assert clause.reason or clause.implements


def test_a_prohibition_is_done_only_when_something_refuses() -> None:
    specification = read(
        "An API for projects: projects have a name, tasks belong to a project and have a title. "
        "Deleting a project that still has tasks should be forbidden."
    )
    (clause,) = [clause for clause in specification.clauses if "forbidden" in clause.text]
    refuses = [rule for rule in specification.rules if rule.kind == "referenced" and not rule.cascade]
    assert (clause.status is ClauseStatus.DONE) == bool(refuses)
    assert not [rule for rule in specification.rules if rule.kind == "referenced" and rule.cascade] or not refuses


def test_a_structure_that_nobody_writes_is_refused_with_what_is_offered() -> None:
    with pytest.raises(UnreadableError, match=r"no bloom filter to offer.*LRU cache.*priority queue"):
        read("Library for bloom filters in Python.")


UNKEPT = [
    (
        "An API for saunas. A sauna has a name and a number of places. A member has a name. A visit is of a member "
        "to a sauna on a date. There can be no more visits of a sauna on a date than it has places.",
        "no more visits",
    ),
    (
        "An API for buses. A bus has a plate and a number of seats. A trip has a bus and a date. A ticket belongs to a "
        "trip. There can be no more tickets for a trip than seats in its bus.",
        "no more tickets",
    ),
    (
        "An API for shows. A show has a title and a start time. A show can be cancelled, but not after its start time.",
        "not after",
    ),
    (
        "An API for lamps. A lamp has a name and a brightness from 0 to 10. Users can dim a lamp "
        "(brightness goes down by one).",
        "dim a lamp",
    ),
    (
        "An API for ferries. Ferries have a name and a passenger capacity. A crossing is made by a ferry and has a "
        "departure time. A ticket is sold for a crossing and has a price. No more tickets may be sold for a crossing "
        "than the passenger capacity of its ferry.",
        "No more tickets",
    ),
    ("An API for trips. A driver has a name. A trip has a title. A trip gets a driver when accepted.", "when accepted"),
    (
        "An API for desks. Desks have a label. Members have a name and a plan, which is basic, flex or full. A "
        "reservation is for one desk, one member and one day. A member on the basic plan may have at most 4 "
        "reservations a month.",
        "at most 4",
    ),
    (
        "An API for tennis. Players have a name and a level (junior or senior). A booking is for one player and has a "
        "date. A player of junior level may have no more than 2 bookings a week.",
        "no more than 2",
    ),
]


@pytest.mark.parametrize(("request_text", "demand"), UNKEPT)
def test_a_demand_that_nothing_keeps_is_not_done(request_text: str, demand: str) -> None:
    specification = read(request_text)
    (clause,) = [clause for clause in specification.clauses if demand in clause.text]
    assert clause.status is ClauseStatus.NOT_DONE


def test_a_description_is_no_limit() -> None:
    specification = read(
        "An API for ferries. Ferries have a name and a passenger capacity. A crossing is made by a ferry and has a "
        "departure time. A ticket is sold for a crossing and has a price."
    )
    assert not specification.rules


@pytest.mark.parametrize(
    ("request_text", "name", "held"),
    [
        ("A command line tool that keeps a reading list.", "book", "title and author"),
        ("A command line tool that keeps a collection of coins.", "coin", "name"),
        ("A tool for adding, listing and removing notes.", "note", "title and body"),
    ],
)
def test_fields_that_nobody_asked_for_are_said_to_be_presumed(request_text: str, name: str, held: str) -> None:
    (entity,) = read(request_text).entities
    assert entity.name == name
    assert f"was given {held}." in entity.description


def test_fields_that_the_request_names_are_not_presumed() -> None:
    specification = read("A command line tool that keeps a reading list: books have a title and an author.")
    assert [entity.description for entity in specification.entities] == [""]


def test_a_number_is_asked_about_by_yes_or_no() -> None:
    specification = read("A library that tells whether a number is a multiple of 3, and whether it is divisible by 5.")
    assert [(c.name, c.cases[0].expression) for c in specification.computations] == [
        ("is_multiple_of_3", "number % 3 == 0"),
        ("is_multiple_of_5", "number % 5 == 0"),
    ]
    (of_any,) = read("A library that tells whether a number is a multiple of another number.").computations
    assert [case.when for case in of_any.refuses] == ["divisor == 0"]


def test_an_exit_code_of_its_own_is_not_done_and_the_usual_ones_are_told() -> None:
    specification = read(
        "A CLI that checks IBANs. It prints valid or invalid and exits with status 3 when it is wrong."
    )
    (clause,) = [clause for clause in specification.clauses if "status 3" in clause.text]
    assert clause.status is ClauseStatus.NOT_DONE
    assert "Exit codes are fixed: 0" in clause.reason


def test_a_place_of_storage_becomes_no_thing_that_is_kept() -> None:
    specification = read(
        "A CLI for notes: a note has a text. Notes are kept in a YAML file. Data must survive a restart."
    )
    assert [entity.name for entity in specification.entities] == ["note"]
    told = {clause.text: clause.reason for clause in specification.clauses}
    assert "SQLite" in told["Notes are kept in a YAML file"]
    assert told["Data must survive a restart"] == ""
