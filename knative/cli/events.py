"""`hal9 events`: evaluate filters by hand; list, show and redrive dead letters; publish events."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from events import cesql, codec, filters, strictjson
from events.cloudevent import CloudEvent, MalformedEvent

if TYPE_CHECKING:
    from events.cesql import Value

_EVALUATED_WITH_ERROR: Final = 1
_UNREADABLE: Final = 2


@click.group()
def command() -> None:
    """Evaluate filters; list, show and redrive dead letters; publish."""


@command.command("filter")
@click.argument("event_file", metavar="EVENT.json", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--cesql", "expression", metavar="EXPRESSION", help="A CESQL 1.0 expression to evaluate.")
@click.option(
    "--filter",
    "filter_file",
    metavar="FILTER.json",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="A filter, or a list of them, as in a Trigger: exact, prefix, suffix, all, any, not, cesql.",
)
@click.option("--json", "as_json", is_flag=True, help='Print {"value": ..., "error": null or the kind of error}.')
@click.option("--exit-status", "-e", "strict", is_flag=True, help="Exit with 1 also when the event does not pass.")
def filter_event(
    event_file: str, expression: str | None, filter_file: str | None, *, as_json: bool, strict: bool
) -> None:
    r"""Evaluate a CESQL expression, or a filter, on an event.

    EVENT.json holds a CloudEvent in structured mode; `-` is standard input.

    An expression always has a value; beside it there may be an error: parse, math, cast, missingAttribute,
    missingFunction, functionEvaluation or generic.

    \b
    Exit codes:
      0  evaluated, without an error, whatever the value
      1  evaluated, with an error (with -e also: the event does not pass)
      2  the command line, the event or the filter is wrong
    """
    if (expression is None) == (filter_file is None):
        raise click.UsageError("Give either --cesql or --filter.")
    if event_file == filter_file == "-":
        raise click.UsageError("Standard input can be the event or the filter, not both.")
    event = _event(event_file)
    if expression is not None:
        evaluation = _evaluate(expression, event)
        _report(evaluation.value, evaluation.error, as_json=as_json)
        passes = evaluation.value is True and evaluation.error is None
        failed = evaluation.error is not None
    else:
        passes = _filter(str(filter_file))(event)
        failed = False
        _report(passes, None, as_json=as_json)
    sys.exit(_EVALUATED_WITH_ERROR if failed or (strict and not passes) else 0)


def _evaluate(expression: str, event: CloudEvent) -> cesql.Evaluation:
    try:
        return cesql.parse(expression).evaluate(event.attributes())
    except cesql.ParseError as error:
        return cesql.Evaluation(error.value, error)


def _report(value: Value, error: cesql.CesqlError | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"value": value, "error": None if error is None else error.kind}, ensure_ascii=False))
        return
    click.echo(value if isinstance(value, str) else json.dumps(value))
    if error is not None:
        click.echo(f"error: {error}", err=True)


def _event(file: str) -> CloudEvent:
    try:
        return codec.from_structured(_read(file))
    except MalformedEvent as error:
        lines = "\n".join(f"  {fault.pointer or '/'}: {fault.attribute} {fault.detail}" for fault in error.faults)
        raise _Unreadable(f"{file} holds no valid CloudEvent in structured mode:\n{lines}") from None


def _filter(file: str) -> filters.Filter:
    try:
        return filters.compile_filters(strictjson.read(_read(file)))
    except strictjson.NotStrictJson as error:
        raise _Unreadable(f"{file} {error}") from None
    except filters.FilterError as error:
        lines = "\n".join(f"  {fault.attribute or '/'}: {fault.detail}" for fault in error.faults)
        raise _Unreadable(f"{file} holds no valid filter:\n{lines}") from None


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise _Unreadable(f"{file} cannot be read: {error.strerror}") from None


class _Unreadable(click.ClickException):
    """A file that the command needs is wrong."""

    exit_code = _UNREADABLE
