"""`hal9 runs`: start, list, show, watch, cancel and replay runs of neurons."""

from __future__ import annotations

import json
import sys
from math import isfinite
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from knative.cli import standstill, tables
from knative.cli.connection import connected
from shared.client import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from knative.cli.runtree import RunTree
    from shared.client import Client
    from shared.neurons.wire import Run, RunSummary, StepView

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_RUN: Final = click.argument("run_id", metavar="RUN", type=click.UUID)


@click.group()
def command() -> None:
    """Start, show, watch, cancel and replay runs of neurons."""


@command.command("list")
@click.option("--process", help="Only runs of this process.")
@click.option("--state", type=click.Choice(list(tables.STATE_COLOURS)), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@_JSON
def list_runs(process: str | None, state: Any, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    with connected(quiet=as_json) as client:
        runs = [run for run, _ in zip(client.runs.list(process=process, state=state), range(limit), strict=False)]
    if as_json:
        click.echo(json.dumps({"runs": [run.model_dump(mode="json") for run in runs]}, indent=1))
        return
    from rich.table import Table

    table = Table("process", "state", "steps", "sent back", "cost", "started", "run", box=None)
    for column in table.columns:
        column.no_wrap = True
    for run in runs:
        table.add_row(
            tables.stranger(run.process), _state(run), str(run.steps), str(run.revisions),
            _money(run.cost_microdollars), f"{run.created_at:%Y-%m-%d %H:%M:%S}", str(run.id),
        )  # fmt: skip
    tables.console().print(table if runs else "There are no runs.")


@command.command()
@_RUN
@_JSON
def show(run_id: UUID, *, as_json: bool) -> None:
    """Show a run with its tree of neurons, its signals and its output."""
    with connected(quiet=as_json) as client:
        run = client.runs.get(run_id)
    _show(run, as_json=as_json)


@command.command()
@click.argument("process")
@click.option("--input", "text", metavar="JSON", help="What the root neuron takes; `-` reads it from standard input.")
@click.option("--cost-cap", type=click.FloatRange(0), metavar="DOLLARS", help="Hard cap on what the run may spend.")
@click.option(
    "--deadline", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Fails when not done then."
)
@click.option("--engine", type=click.Choice(["builtin", "model"]), help="`builtin` keeps language models out of it.")
@click.option("--key", metavar="KEY", help="The same key and request gives the same run.")
@click.option("--watch", "follow", is_flag=True, help="Draw the tree until the run has ended.")
@_JSON
def start(
    process: str,
    text: str | None,
    cost_cap: float | None,
    deadline: float | None,
    engine: Any,
    key: str | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Start a run of PROCESS.

    \b
    Example:
      hal9 runs start software --input '{"request": "A library for leap years.", "language": "python"}' --watch
    """
    from shared.neurons.wire import Limits

    cost = round(cost_cap * 1_000_000) if cost_cap is not None and isfinite(cost_cap) else cost_cap
    with connected(quiet=as_json) as client:
        limits = checked(Limits, cost_microdollars=cost, deadline_seconds=deadline)
        run = client.runs.start(process, _document(text), limits=limits, engine=engine, idempotency_key=key)
        _begun(client, run, follow=follow, as_json=as_json)


@command.command()
@_RUN
@_JSON
def watch(run_id: UUID, *, as_json: bool) -> None:
    """Draw a run's tree live, until it has ended. With --json: one event a line.

    \b
    Exit codes:
      0  the run was completed
      1  it failed or was cancelled
    """
    with connected(quiet=as_json) as client:
        _follow(client, run_id, as_json=as_json)
        run = client.runs.get(run_id)
    if not as_json:
        _ending(run)
    sys.exit(0 if run.state == "completed" else 1)


@command.command()
@_RUN
@_JSON
def cancel(run_id: UUID, *, as_json: bool) -> None:
    """Cancel a run and every step of it."""
    with connected(quiet=as_json) as client:
        run = client.runs.cancel(run_id)
    _show(run, as_json=as_json)


@command.command()
@_RUN
@click.option("--watch", "follow", is_flag=True, help="Draw the tree until the replay has ended.")
@_JSON
def replay(run_id: UUID, *, follow: bool, as_json: bool) -> None:
    """Run it again from its journal: nothing is asked of a model again, and nothing is spent."""
    with connected(quiet=as_json) as client:
        _begun(client, client.runs.replay(run_id), follow=follow, as_json=as_json)


def _document(text: str | None) -> dict[str, Any]:
    given = sys.stdin.read() if text == "-" else text or "{}"
    try:
        document = json.loads(given)
    except ValueError as error:
        raise click.UsageError(f"--input is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise click.UsageError("--input must be a JSON object.")
    return document


def _begun(client: Client, run: Run, *, follow: bool, as_json: bool) -> None:
    """Say that a run has begun; or follow it to its end, and take its state as exit code."""
    if not follow:
        _print(run) if as_json else click.echo(f"{run.id}\nFollow it with: hal9 runs watch {run.id}")
        return
    _follow(client, run.id, as_json=as_json)
    run = client.runs.get(run.id)
    if not as_json:
        _ending(run)
    sys.exit(0 if run.state == "completed" else 1)


def _follow(client: Client, run_id: UUID, *, as_json: bool) -> None:
    """Draw a run until it has ended: live on a terminal, a line for each event elsewhere, JSON lines when asked."""
    events = client.runs.watch(run_id, quiet=standstill.told(client, quiet=as_json))
    if as_json:
        for event in events:
            click.echo(event.model_dump_json())
        return
    from rich.console import Console

    from knative.cli.runtree import RunTree

    tree, console = RunTree(f"run {run_id}"), Console(highlight=False)
    if not console.is_terminal:
        for event in events:
            line = tree.feed(event)
            click.echo(line or event.type)
        return
    from rich.live import Live

    with Live(tree, console=console, refresh_per_second=10) as live:
        for event in events:
            tree.feed(event)
            live.update(tree)


def _ending(run: Run) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    seconds = "" if run.finished_at is None else f" in {(run.finished_at - run.created_at).total_seconds():.1f} s"
    console.print(f"{_state(run)}{seconds}, {run.steps} steps, {_money(run.cost_microdollars)}", _why(run))
    if run.replay_of is not None:
        console.print(f"It replayed {run.replay_of} from its journal.")


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        _print(run)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    console.print(_drawn(run))
    _ending(run)
    console.print(
        f"engine {run.engine or 'not known yet'}, cap {_money(run.cost_cap_microdollars)}, {run.revisions} sent back"
    )
    for signal in run.signals:
        hint = f" ({signal.hint})" if signal.hint else ""
        blamed = f"{signal.blame_step}{signal.contract_path}"
        console.print(escape(tables.harmless(f"  ↺ {signal.from_step} blames {blamed}: {signal.diagnostic}{hint}")))
    if run.output is not None:
        console.print_json(json.dumps(run.output))


def _drawn(run: Run) -> RunTree:
    """The tree as it stands, drawn as the live one is."""
    from knative.cli.runtree import RunTree
    from shared.neurons.wire import RunEvent

    tree = RunTree(f"run {run.id}")
    for step in run.tree:
        for kind, moment in _moments(step):
            tree.feed(RunEvent(sequence=0, type=f"step.{kind}", at=moment, path=step.path, body=step.body))
    return tree


def _moments(step: StepView) -> Iterator[tuple[str, Any]]:
    if step.started_at is not None:
        yield "started", step.started_at
    state = "started" if step.state == "running" else step.state
    yield state, step.finished_at or step.started_at or step.created_at


def _state(run: RunSummary) -> str:
    return f"[{tables.STATE_COLOURS[run.state]}]{run.state}[/]"


def _why(run: RunSummary) -> str:
    from rich.markup import escape

    return escape(tables.harmless(f"({run.code}: {run.reason})")) if run.reason else ""


def _money(microdollars: int) -> str:
    return f"${microdollars / 1e6:.4f}"


def _print(model: BaseModel) -> None:
    click.echo(model.model_dump_json(indent=1))
