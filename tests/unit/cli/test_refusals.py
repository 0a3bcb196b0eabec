"""Whatever `hal9` refuses is JSON when --json was given, whichever command it is and whatever the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from knative.cli.main import COMMANDS, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


def with_json(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that has --json, as the words that name it."""
    if any("--json" in option.opts for option in command.params):
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from with_json(found, (*path, name))


EVERY = sorted(with_json(main))


def problem(done: Result) -> dict[str, Any]:
    """The problem that was printed, alone on standard output."""
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == ""
    problem: dict[str, Any] = document["problem"]
    assert {"type", "title", "detail"} <= problem.keys()
    return problem


def run(*arguments: str, **environment: str) -> Result:
    """Run `hal9` in this process, with no credentials but those."""
    no_credentials = {"HAL9_URL": None, "HAL9_API_KEY": None, "HAL9_CREDENTIALS": None}
    return CliRunner().invoke(main, arguments, env={**no_credentials, **environment})


def test_the_walk_finds_commands_of_groups() -> None:
    assert {("up",), ("codegen",), ("runs", "list"), ("events", "dead-letters", "list")} <= set(EVERY)
    assert {path[0] for path in EVERY} >= COMMANDS.keys() - {"demo"}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_a_wrong_command_line_is_a_problem(path: tuple[str, ...]) -> None:
    done = run(*path, "--json", "--no-such-option")
    assert done.exit_code == 2
    assert problem(done)["type"] == "urn:hal9:problem:command-line-invalid"
    assert "--no-such-option" in problem(done)["detail"]


def test_a_refusal_of_our_own_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = run("codegen", "A library.", "--json", "--out", str(tmp_path))
    assert done.exit_code == 1
    assert problem(done)["type"] == "urn:hal9:problem:command-refused"
    assert "not empty" in problem(done)["detail"]


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1"])
@pytest.mark.parametrize("command", [("runs", "list"), ("keys", "list"), ("events", "dead-letters", "list")])
def test_an_api_that_cannot_be_reached_is_a_problem(url: str, command: tuple[str, ...]) -> None:
    done = run(*command, "--json", HAL9_URL=url, HAL9_API_KEY="hal9_x")
    assert done.exit_code == 1
    assert "HAL9_URL" in problem(done)["detail"]


def test_without_json_it_is_a_sentence_on_standard_error(tmp_path: Path) -> None:
    done = run("runs", "list", HAL9_URL="nonsense", HAL9_API_KEY="hal9_x")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: HAL9_URL is no address")
    after = run("codegen", "--out", str(tmp_path / "out"), "--", "--json", HAL9_URL="nonsense", HAL9_API_KEY="hal9_x")
    assert (after.exit_code, after.stdout) == (1, "")


def test_what_is_printed_otherwise_and_its_exit_code_stay() -> None:
    assert run("--version").exit_code == 0
    assert run("runs", "--help").exit_code == 0
    assert json.loads(run("chaos", "points", "--json").stdout)["points"]


@pytest.mark.parametrize(
    "line",
    [
        "pools plan --shards 5",
        "pools plan --reserved 0",
        "shards rebalance --plan --at-most 2",
        "shards rebalance --cancel --at-most 2",
        "backup verify 0199c7a3-5d5e-7b2f-8a51-1d3c5e7f9a0b --all",
        "backup verify --restore --all",
    ],
)
def test_an_option_that_would_be_ignored_is_refused(line: str) -> None:
    done = run(*line.split(), "--json")
    assert done.exit_code == 2
    assert problem(done)["type"] == "urn:hal9:problem:command-line-invalid"
