"""How a deployment is shown: what stands in the way, what would change, what became ready, why something did not."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Self

import click

from knative.cli import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from rich.status import Status

    from knative.deploy.canary import Trial
    from knative.deploy.changes import Change
    from knative.deploy.deployment import Outcome
    from knative.deploy.preflight import Fault
    from shared.eventprobe import Report

_COLOURS: Final = {"create": "green", "change": "yellow", "delete": "red"}
_SHOWN: Final = 4
_LONGEST: Final = 60


class Silent:
    """Says nothing."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End."""

    def ready(self, kind: str, name: str) -> None:
        """Something became ready."""

    def waiting(self, left: Mapping[str, str]) -> None:
        """What is still waited for."""

    def holding(self, trials: Sequence[Trial], percent: int, seconds_left: float) -> None:
        """New versions have a share of the requests."""

    def note(self, text: str) -> None:
        """Something that whoever deploys should know: it is said in any case."""
        click.echo(text, err=True)


class Progress(Silent):
    """A line for each object that became ready, and on a terminal one that says what is waited for."""

    def __init__(self, doing: str = "applying") -> None:
        from rich.console import Console

        self._doing = doing
        self._console = Console(stderr=True)
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._status = self._console.status(self._doing)
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._status is not None:
            self._status.stop()

    def ready(self, kind: str, name: str) -> None:
        """Show that something became ready."""
        self._console.print(f"ready  {kind} {name}", highlight=False)

    def waiting(self, left: Mapping[str, str]) -> None:
        """Show what is still waited for."""
        if self._status is not None and left:
            first = [f"{name} ({_short(reason)})" if reason else name for name, reason in list(left.items())[:_SHOWN]]
            more = len(left) - len(first)
            self._status.update(f"waiting for {', '.join(first)}{f' and {more} more' if more else ''}")

    def holding(self, trials: Sequence[Trial], percent: int, seconds_left: float) -> None:
        """Show how many requests reached the new versions, and how many of those failed."""
        if self._status is not None:
            asked = ", ".join(f"{one.service} {one.new.requests} ({one.new.failed} failed)" for one in trials)
            self._status.update(f"{percent}% go to the new version, {seconds_left:.0f} s to go: {asked}")

    def note(self, text: str) -> None:
        """Say it above what is waited for."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def faults(found: Sequence[Fault]) -> None:
    """Show what stands in the way."""
    click.echo("Nothing was applied: this stands in the way.", err=True)
    listed(found)


def delivered(report: Report) -> str:
    """Say how an event was delivered."""
    waiting = (
        f"{report.outbox_pending} wait in outboxes, the oldest for {report.outbox_oldest_seconds:.0f} s"
        if report.outbox_pending
        else "none waits in an outbox"
    )
    return (
        f"Events are delivered: one was received after {report.seconds['received']:.1f} s, its reply after "
        f"{report.seconds['answered']:.1f} s; {waiting}; {report.dead_letters} dead letters in the last hour."
    )


def listed(found: Iterable[Fault]) -> None:
    """Show faults, each with what to do."""
    for fault in found:
        click.echo(f"- {fault.what}", err=True)
        if fault.remedy:
            click.echo(textwrap.indent(fault.remedy, "  "), err=True)


def table(changes: Iterable[Change], *, checked: bool) -> None:
    """Show what would change."""
    from rich.table import Table

    shown = [one for one in changes if one.action != "unchanged"]
    if not shown:
        click.echo("Nothing would change.")
        return
    grid = Table("", "KIND", "NAME", "FIELDS", box=None, pad_edge=False)
    for one in shown:
        fields = "\n".join(f"{f.path}: {_short(str(f.before))} -> {_short(str(f.after))}" for f in one.fields)
        grid.add_row(f"[{_COLOURS[one.action]}]{one.action}[/]", one.kind, one.name, _plain(fields))
    tables.console().print(grid)
    click.echo(f"{len(shown)} objects would change.")
    if not checked:
        click.echo("The namespace is not there yet: the server looks at the manifests when it is.")


def explain(outcome: Outcome) -> None:
    """Say why what was applied is not ready."""
    if outcome.stage == "migrations":
        click.echo("The migrations did not succeed: nothing after them was applied.", err=True)
    if outcome.probed is not None and outcome.probed.faults:
        click.echo("All of it is ready, and events are not delivered:", err=True)
        listed(outcome.probed.faults)
    for one in outcome.unready:
        click.echo(f"{one.kind} {one.name} is not ready{f': {one.reason}' if one.reason else '.'}", err=True)
        for reason in one.pods:
            click.echo(f"  {reason.text}", err=True)
            for line in reason.log:
                click.echo(f"    | {line}", err=True)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(text: str) -> str:
    """Keep brackets of paths from being read as markup."""
    return text.replace("[", "\\[")
