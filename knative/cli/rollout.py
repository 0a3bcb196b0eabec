"""The part of `hal9 deploy` that tries a new version: its options, and what came out."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knative.deploy.canary import Canary, RollOut, Side, Trial

F = TypeVar("F", bound="Callable[..., Any]")

STOPPED: Final = (
    "\nStopped. Where a new version was being tried it keeps its share of the requests: the same command tries it "
    "again from the start, `hal9 deploy` of another version rolls it back first."
)

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")


class Duration(click.ParamType[float]):
    """Seconds, as `30s`, `2m`, `1h`, or a number."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one."""
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no duration such as 30s, 2m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


_OPTIONS: Final = (
    click.option(
        "--canary",
        "percent",
        type=click.IntRange(1, 50),
        help="Give a new version this share of the requests first, in percent, and judge it.",
    ),
    click.option(
        "--hold",
        default="2m",
        show_default=True,
        type=Duration(),
        help="How long --canary holds it there, up to three times that while few requests reach it; 0 until it is "
        "ready.",
    ),
    click.option(
        "--max-error-ratio",
        default=1.5,
        show_default=True,
        type=click.FloatRange(1.0),
        help="How many times as often as the old version it may fail (5xx), or refuse (4xx).",
    ),
    click.option(
        "--max-latency-ratio",
        default=1.5,
        show_default=True,
        type=click.FloatRange(1.0),
        help="How many times the old version's 95th percentile its own may be.",
    ),
)


def options(command: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def canary(given: Mapping[str, Any]) -> Canary | None:
    """Read the options; None without `--canary`."""
    if given["percent"] is None:
        return None
    from knative.deploy.canary import Canary
    from knative.deploy.judgement import Limits

    return Canary(given["percent"], given["hold"], Limits(given["max_error_ratio"], given["max_latency_ratio"]))


def show(found: RollOut) -> None:
    """Show what came out: a line for each version, then what it came to."""
    if not found.trials:
        click.echo("No service changed: there was nothing to try.", err=True)
        return
    if found.held_seconds:
        _table(found)
    for one in found.trials:
        for fault in one.faults:
            click.echo(f"{one.service}: {fault}.", err=True)
    click.echo(_outcome(found), err=True)


def _table(found: RollOut) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("SERVICE", "REVISION", "SHARE", "REQUESTS", "5XX", "4XX", "P95", "", box=None, pad_edge=False)
    for one in found.trials:
        grid.add_row(one.service, one.old.revision, f"{100 - found.percent}%", *_figures(one.old), "")
        grid.add_row("", one.new.revision, f"{found.percent}%", *_figures(one.new), _verdict(one))
    Console(stderr=True, width=None if sys.stderr.isatty() else 200).print(grid)


def _figures(side: Side) -> tuple[str, str, str, str]:
    p95 = "" if side.p95_seconds is None else f"{side.p95_seconds * 1000:.0f} ms"
    return str(side.requests), str(side.failed), str(side.refused), p95


def _verdict(one: Trial) -> str:
    if one.faults:
        return "[red]bad[/]"
    return "[green]good[/]" if one.enough else "[yellow]too few requests to judge[/]"


def _outcome(found: RollOut) -> str:
    if found.rolled_back:
        return "The new version was rolled back: all requests go to the old one again."
    if not found.good:
        return "The new version is to be rolled back, and the old one does not get all requests back."
    few = [f"{one.service} ({one.new.requests})" for one in found.trials if not one.enough]
    if not found.held_seconds:
        return "The new version is ready. It was not held, and so not judged: it gets all requests."
    if few:
        return f"The new version gets all requests. Too few had reached it to judge {', '.join(few)}."
    return f"The new version was as good as the old one for {found.held_seconds:.0f} s: it gets all requests."
