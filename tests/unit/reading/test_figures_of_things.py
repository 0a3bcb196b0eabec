"""Figures that a thing has: one of a few numbers, how long it lasts, what it weighs; and collections that are kept."""

from __future__ import annotations

import pytest

from functions.neuron.reading.reader import read
from shared.software.specification import ClauseStatus, FieldSpec, FieldType


def described(request: str, entity: str) -> dict[str, str]:
    """Give the fields of an entity as short texts, when every part of the request was built."""
    specification = read(request)
    missing = [clause.text for clause in specification.clauses if clause.status is not ClauseStatus.DONE]
    assert missing == []
    return {field.name: _short(field) for field in specification.entity(entity).fields}


def _short(field: FieldSpec) -> str:
    if field.values:
        return f"{field.type} {' '.join(field.values)}"
    bounds = "" if field.minimum is field.maximum is None else f" {field.minimum}..{field.maximum}"
    return f"{field.type}{bounds}"


@pytest.mark.parametrize(
    ("sentence", "field", "expected"),
    [
        ("A session lasts 30, 45 or 60 minutes and has a start time.", "duration", "integer 30 45 60"),
        ("A session has a title and a duration of 60, 45 or 30 minutes.", "duration", "integer 30 45 60"),
        ("A session has a title and a length (30, 45 or 60 minutes).", "length", "integer 30 45 60"),
        ("A session has a title and a size that is one of 10, 20 and 30.", "size", "integer 10 20 30"),
        ("A session has a title and costs 5, 10 or 20 euros.", "price", "integer 5 10 20"),
        ("A session has a title, 2, 3 or 4 rounds and a level.", "rounds", "integer 2 3 4"),
        ("A session has a code number, 1 or 2 teachers and a level.", "teachers", "integer 1 2"),
        ("A session costs between 5 and 10 euros.", "price", "decimal 5..10"),
        ("A session weighs 5 or 10 grams and serves 2, 4 or 8 people.", "servings", "integer 2 4 8"),
        ("A session has a number of hours between 0.25 and 12.", "hours", "decimal 0.25..12"),
        ("A session has a number of hours between 1 and 12.", "hours", "integer 1..12"),
        ("A session has a rate of 0.5, 1 or 2.5.", "rate", "enum 0.5 1 2.5"),
        ("A session has a code of 007, 008 or 009.", "code", "enum 007 008 009"),
    ],
)
def test_figures_become_numbers(sentence: str, field: str, expected: str) -> None:
    assert described(f"An API for a school. {sentence}", "session")[field] == expected


def test_a_default_among_the_numbers_is_one() -> None:
    [session] = read("An API for a school. A session has a title and a size of 1, 2 or 3 that defaults to 2.").entities
    [field] = [field for field in session.fields if field.name == "size"]
    assert (field.type, field.default, field.numbers) == (FieldType.INTEGER, 2, (1, 2, 3))


@pytest.mark.parametrize("collection", ["list", "register", "log", "catalogue", "collection", "record"])
@pytest.mark.parametrize("opening", ["A command line tool keeps", "A command line tool that keeps", "The tool keeps"])
def test_what_a_collection_is_of_is_what_is_kept(opening: str, collection: str) -> None:
    request = f"{opening} a {collection} of boats: each has a unique sail code and a length in metres."
    specification = read(request)
    assert [entity.name for entity in specification.entities] == ["boat"]
    assert [field.name for field in specification.entities[0].fields] == ["sail_code", "length"]


@pytest.mark.parametrize(
    "sentence",
    [
        "It shows the total hours for each mood.",
        "It shows the sad hours for each category.",
        "List the entries whose last review is older than 12 months.",
        "Show all entries whose latest review is more than 365 days old.",
        "The tool keeps the total amount of all reviews of an entry.",
    ],
)
def test_what_is_not_read_is_said_to_be_missing(sentence: str) -> None:
    declared = "An entry has a date, a category (meeting or support) and a number of hours between 1 and 12."
    reviews = "A review belongs to an entry and has a date."
    specification = read(f"A command line tool for time sheets. {declared} {reviews} {sentence}")
    missing = [clause for clause in specification.clauses if clause.status is ClauseStatus.NOT_DONE]
    assert " ".join(clause.text for clause in missing) == sentence.rstrip(".")
    assert all(clause.reason for clause in missing)
    assert specification.views == ()
    assert [entity.name for entity in specification.entities] == ["entry", "review"]
    assert [field.name for field in specification.entity("entry").fields] == ["date", "category", "hours"]


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("It shows the total hours for each category.", ("category", None, "sum", "hours")),
        ("How many entries are there of each category?", ("category", None, "count", None)),
        ("I want to see the average number of hours per category.", ("category", None, "average", "hours")),
        ("Show the highest hours per month.", ("date", "month", "maximum", "hours")),
        ("Number of support entries per year.", ("date", "year", "count", None)),
    ],
)
def test_a_figure_for_each_value_of_a_field_is_a_report(sentence: str, told: tuple[str | None, ...]) -> None:
    declared = "An entry has a date, a category (meeting or support) and a number of hours between 1 and 12."
    specification = read(f"A command line tool for time sheets. {declared} {sentence}")
    assert [(r.by, r.period, r.function, r.of) for r in specification.reports] == [told]
    assert all(clause.status is ClauseStatus.DONE for clause in specification.clauses)
    assert bool(specification.reports[0].when) == ("support" in sentence)
    assert specification.command_line is not None
    assert specification.reports[0].name.replace("_", "-") in {c.name for c in specification.command_line.commands}


def test_figures_for_things_and_for_values_stand_beside_each_other() -> None:
    specification = read(
        "An API for time sheets. Projects have a name. An entry belongs to a project and has a kind (day or night) and "
        "hours between 1 and 12. Total hours per project and per kind."
    )
    assert [report.name for report in specification.reports] == ["total_hours_by_kind"]
    assert [field.name for field in specification.entity("project").fields] == ["name", "total_hours"]
    paths = {(endpoint.method, endpoint.path) for endpoint in specification.endpoints}
    assert ("GET", "/entries/total-hours-by-kind") in paths
