"""The texts of generated software have the article that a thing's name is spoken with."""

from __future__ import annotations

import pytest

from functions.neuron.reading import read
from shared.software.designs import with_article


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loan", "a loan"),
        ("order_item", "an order item"),
        ("appointment", "an appointment"),
        ("user", "a user"),
        ("unit", "a unit"),
        ("unopened_box", "an unopened box"),
        ("umbrella", "an umbrella"),
        ("one_off", "a one off"),
    ],
)
def test_a_name_has_its_article(name: str, said: str) -> None:
    assert with_article(name) == said


def test_endpoints_and_commands_speak_of_an_expense() -> None:
    fields = "expenses have an amount and are open or paid"
    service, tool = read(f"An API for expenses: {fields}."), read(f"A command line tool for expenses: {fields}.")
    assert tool.command_line is not None
    said = {endpoint.summary for endpoint in service.endpoints}
    said |= {command.summary for command in tool.command_line.commands}
    assert {"Create an expense", "Delete an expense", "Pay an expense", "Add an expense", "Remove an expense"} <= said
    assert not [text for text in said if text and " a expense" in text]
