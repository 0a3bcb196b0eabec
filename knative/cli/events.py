"""`hal9 events`: evaluate filters by hand; list, show and redrive dead letters; publish events."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from events import cesql, codec, filters
from events.cloudevent import CloudEvent, MalformedEvent
from knative.cli import tables
from knative.cli.connection import connected
from shared import strictjson
from shared.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from events.cesql import Value
    from shared.deadletters import DeadLetterDetail, DeadLetterView

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
    """Evaluate a CESQL expression, or a filter, on an event.

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


@command.command("publish")
@click.argument("event_file", metavar="EVENT.json", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print the ids as JSON.")
def publish(event_file: str, *, as_json: bool) -> None:
    """Publish the CloudEvent in EVENT.json, or the array of them: all of it, or nothing when one is at fault.

    EVENT.json is in CloudEvents' JSON format; `-` is standard input. When the command returns, the broker has stored
    the events. The organisation is that of the API key, whatever `orgid` says.

    \b
    Exit codes:
      0  taken
      1  refused, or nobody answers
      2  the command line or the events are wrong
    """
    body = _read(event_file)
    try:
        batch = body.lstrip()[:1] == b"["
        events = codec.from_batch(body) if batch else (codec.from_structured(body),)
    except MalformedEvent as error:
        raise _unreadable(event_file, "valid CloudEvent in structured mode", _lines(error)) from None
    members: Sequence[dict[str, Any]] = json.loads(body) if batch else [json.loads(body)]
    with connected(quiet=as_json) as client:
        client.events.publish_all(members)
    ids = [event.id for event in events]
    click.echo(json.dumps({"accepted": ids}) if as_json else "\n".join(f"published {event_id}" for event_id in ids))


@command.group("dead-letters")
def dead_letters() -> None:
    """Events that could not be delivered: list, show, send again."""


@dead_letters.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_dead_letters(*, limit: int, as_json: bool) -> None:
    """List dead letters, the newest first."""
    from itertools import islice

    with connected(quiet=as_json) as client:
        letters = list(islice(client.dead_letters.list(), limit))
    if as_json:
        click.echo(json.dumps([letter.model_dump(mode="json") for letter in letters], indent=2))
    else:
        now = SystemClock().now()
        click.echo("\n".join(_listed(letter, now) for letter in letters) or "There are no dead letters.")


@dead_letters.command("show")
@click.argument("letter_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_dead_letter(letter_id: object, *, as_json: bool) -> None:
    """Show a dead letter: why it is one, and its event."""
    with connected(quiet=as_json) as client:
        letter = client.dead_letters.get(str(letter_id))
    _show(letter, as_json=as_json)


@dead_letters.command("redrive")
@click.argument("letter_ids", metavar="LETTER_ID...", type=click.UUID, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def redrive_dead_letters(letter_ids: Sequence[object], *, as_json: bool) -> None:
    """Send the events of dead letters again, as they were; whoever has taken one already drops it."""
    with connected(quiet=as_json) as client:
        letters = [client.dead_letters.redrive(str(letter_id)) for letter_id in letter_ids]
    if as_json:
        click.echo(json.dumps([letter.model_dump(mode="json") for letter in letters], indent=2))
    else:
        click.echo("\n".join(f"sent again: {letter.id} ({letter.event_type})" for letter in letters))


def _listed(letter: DeadLetterView, now: datetime) -> str:
    """Say what is known of a dead letter, in lines that a narrow terminal holds."""
    code = "no answer" if letter.error_code is None else str(letter.error_code)
    times = f"{letter.attempts} times, last " if letter.attempts > 1 else ""
    again = ""
    if letter.redriven_at is not None:
        waits = "is " if letter.redriven_at > now else ""
        again = f"\n    {waits}sent again {letter.redriven_at:%Y-%m-%d %H:%M:%S}"
    return (
        f"{letter.id}  {letter.event_type}\n"
        f"    for {letter.destination}: {code}, {times}{letter.received_at:%Y-%m-%d %H:%M:%S}{again}"
    )


def _show(letter: DeadLetterDetail, *, as_json: bool) -> None:
    document = letter.model_dump(mode="json")
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    event = document.pop("event")
    for name, value in document.items():
        click.echo(f"{name.replace('_', ' '):12} {'-' if value is None else tables.harmless(str(value))}")
    click.echo(json.dumps(event, indent=2, ensure_ascii=False))


def _event(file: str) -> CloudEvent:
    try:
        return codec.from_structured(_read(file))
    except MalformedEvent as error:
        raise _unreadable(file, "valid CloudEvent in structured mode", _lines(error)) from None


def _lines(error: MalformedEvent) -> list[str]:
    return [f"{fault.pointer or '/'}: {fault}" for fault in error.faults]


def _filter(file: str) -> filters.Filter:
    try:
        return filters.compile_filters(strictjson.read(_read(file)))
    except strictjson.NotStrictJson as error:
        raise _Unreadable(f"{_named(file)} {error}") from None
    except filters.FilterError as error:
        lines = [f"{fault.attribute or '/'}: {fault.detail}" for fault in error.faults]
        raise _unreadable(file, "valid filter", lines) from None


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise _Unreadable(f"{file} cannot be read: {error.strerror}") from None


class _Unreadable(click.ClickException):
    """A file that the command needs is wrong."""

    exit_code = _UNREADABLE


def _unreadable(file: str, wanted: str, lines: Sequence[str]) -> _Unreadable:
    return _Unreadable("\n  ".join([f"{_named(file)} holds no {wanted}:", *lines]))


def _named(file: str) -> str:
    return "standard input" if file == "-" else file
