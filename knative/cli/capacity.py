"""`hal9 capacity`: what a load needs, by simulation; and the simulation against what a cluster did."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from knative.description import DescriptionError, load_all

if TYPE_CHECKING:
    from rich.table import Table

    from knative.capacity.checking import Comparison
    from knative.capacity.plan import CapacityPlan, Result, Setting

_FUNCTIONS: Final = Path(__file__).resolve().parents[2] / "functions"


class _Number(click.FloatRange):
    """A number in a range: what is no number, and what has no end, is in none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no number that can be reckoned with", param, ctx)
        return found


_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group("capacity")
def command() -> None:
    """Say what a load needs, and how far the model behind it can be trusted."""


@command.command("plan")
@click.option("--rps", default=10_000.0, show_default=True, type=_Number(0), help="Requests a second, in all.")
@click.option("--users", default=1000, show_default=True, type=click.IntRange(0), help="People at once, in all.")
@click.option("--lose", default="us-west", show_default=True, help="Region that is lost; empty for none.")
@click.option("--environment", default="production", show_default=True, help="Whose scale in function.toml counts.")
@click.option("--minutes", default=3, show_default=True, type=click.IntRange(2, 60), help="How long each case lasts.")
@click.option("--measurements", type=_FILE, help="What functions take; else what comes with HAL9.")
@click.option("--core-hour", default=0.04, show_default=True, type=_Number(0), help="Price of a virtual core.")
@click.option("--gib-hour", default=0.0045, show_default=True, type=_Number(0), help="Price of a GiB of memory.")
@click.option("--seed", default=1, show_default=True, help="The simulation follows from it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    rps: float,
    users: int,
    lose: str,
    environment: str,
    minutes: int,
    measurements: Path | None,
    core_hour: float,
    gib_hour: float,
    seed: int,
    as_json: bool,
) -> None:
    """Simulate the standard cases in three regions, and print what to set.

    The cases are a rate of requests, a number of people, and a region that is lost; each with the settings of
    function.toml and with those that are advised. Asks no cluster. How to read it: docs/guides/platform-team.md.

    \b
    Example:
      hal9 capacity plan --rps 2000 --users 200 --minutes 2
    """
    from knative.capacity import measurements as files
    from knative.capacity import plan as planning

    regions = [region.name for region in planning.REGIONS]
    if lose and lose not in regions:
        raise click.UsageError(f"there is no region {lose!r}: there are {', '.join(regions)}")
    if not rps and not users:
        raise click.UsageError("there is nothing to plan: give --rps or --users")
    try:
        functions = load_all(_FUNCTIONS)
        measured = files.load(measurements or files.DEFAULT)
    except (DescriptionError, files.MeasurementsError) as error:
        raise click.ClickException(str(error)) from None
    known = {name for function in functions for name in function.overrides}
    if environment not in known:
        raise click.UsageError(f"no function.toml knows {environment!r}; there are: {', '.join(sorted(known))}")
    made = planning.plan(
        functions,
        environment,
        measured,
        planning.cases(rps, users, lose or None, 60 * minutes),
        prices=planning.Prices(core_hour, gib_hour),
        seed=seed,
    )
    if as_json:
        click.echo(json.dumps({"measurements": measured.made_by, **dataclasses.asdict(made)}, indent=2))
    else:
        _print(made, measured.made_by)


def _print(made: CapacityPlan, made_by: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=110)
    console.print(f"Measurements: {made_by}. Prices and the mix of requests are assumptions.", markup=False)
    table = Table(box=box.SIMPLE_HEAD, title="Cases, three regions together", title_justify="left")
    for heading in (
        "case",
        "settings",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "failed",
        "USD an hour",
        "machines",
        "connections",
    ):
        table.add_column(heading, justify="left" if heading in {"case", "settings"} else "right")
    for result in made.results:
        table.add_row(*_case(result))
    console.print(table)
    console.print(_instances(made))
    console.print(_settings_table(made.settings))
    if made.left_out:
        click.echo(f"Not in the tables, as no request at the door reaches it: {', '.join(made.left_out)}.")
    for line in _toml(made.settings):
        click.echo(line)


def _case(result: Result) -> list[str]:
    return [
        result.case,
        result.settings,
        *(f"{1000 * seconds:,.0f}" for seconds in (result.p50, result.p95, result.p99)),
        f"{result.failed / max(1, result.requests):.2%}",
        f"{result.cost_hour:.2f}",
        " + ".join(str(count) for count in result.nodes.values()),
        str(max(result.connections.values())),
    ]


def _instances(made: CapacityPlan) -> Table:
    from rich import box
    from rich.table import Table

    results = [result for result in made.results if result.settings == "advised"]
    table = Table(box=box.SIMPLE_HEAD, title="Instances as advised: in the middle, at most", title_justify="left")
    table.add_column("deployment, region")
    for result in results:
        table.add_column(result.case, justify="right")
    for index, use in enumerate(results[0].uses):
        cells = [f"{result.uses[index].median}, {result.uses[index].most}" for result in results]
        table.add_row(f"{use.deployment}, {use.region}", *cells)
    return table


def _settings_table(settings: tuple[Setting, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="What is set -> what is advised", title_justify="left")
    for heading in ("deployment", "min", "max", "utilisation", "idle_seconds"):
        table.add_column(heading, justify="left" if heading == "deployment" else "right")
    for one in settings:
        table.add_row(
            one.deployment,
            f"{one.min} -> {one.advised_min}",
            f"{one.max} -> {one.advised_max}",
            f"{one.utilisation} -> {one.advised_utilisation}",
            f"{one.idle_seconds} -> {one.advised_idle_seconds}",
        )
    return table


def _toml(settings: tuple[Setting, ...]) -> list[str]:
    """What can be put into function.toml files as it is."""
    lines = ["In the function.toml of each, for the environment:"]
    lines += [
        f"  {one.deployment}.scale = {{ min = {one.advised_min}, max = {one.advised_max}, "
        f"utilisation = {one.advised_utilisation}, idle_seconds = {one.advised_idle_seconds} }}"
        for one in settings
    ]
    return [*lines, "Then `hal9 pools plan` says whether the databases bear it."]


@command.command("check")
@click.argument("observation", type=_FILE)
@click.option("--within", type=_Number(0), help="Exit code 1 when the error of the instances is a greater part.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(observation: Path, within: float | None, as_json: bool) -> None:
    """Compare the model with what a cluster did, and state the error.

    OBSERVATION is a file that `make bench-cluster` writes: a load, and the instances and latencies under it.
    """
    from knative.capacity.checking import compare, read
    from knative.capacity.measurements import MeasurementsError

    try:
        found = compare(read(observation))
    except MeasurementsError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(found), "relative_error": found.relative_error}, indent=2))
    else:
        for line in _comparison(found):
            click.echo(line)
    sys.exit(1 if within is not None and found.relative_error > within else 0)


def _comparison(found: Comparison) -> list[str]:
    rows = {
        "most instances": found.peak,
        "second in which 90% of them were ready": found.peak_second,
        "answered": found.answered,
        "failed": found.failed,
        **{f"{name}, ms": (1000 * real, 1000 * model) for name, (real, model) in found.latencies.items()},
    }
    lines = [f"{'':40}{'cluster':>12}{'model':>12}"]
    lines += [f"{name:40}{real:>12,.1f}{model:>12,.1f}" for name, (real, model) in rows.items()]
    error = f"{found.instances_error:.2f} instances on average, {found.relative_error:.0%} of their mean"
    return [*lines, f"The model is off by {error}."]
