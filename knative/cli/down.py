"""`hal9 down`: stop the platform, leaving no process behind."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import click

from knative.cli import running
from knative.platform import processes
from knative.platform.processes import Identity

if TYPE_CHECKING:
    from knative.platform.home import Home

PATIENCE_SECONDS: Final = 45.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Stop the platform, leaving no process behind.

    What is being served gets a few seconds to end. Everything that was saved stays in HAL9_HOME. Exit code 0 when
    nothing runs any more, also when nothing ran before.
    """
    home, _ = running.chosen()
    stopped = _stop_supervisor(home)
    left = _end_leftovers(home)
    if left:
        pids = " ".join(str(identity.pid) for identity in left)
        raise click.ClickException(f"These processes do not end: {pids}. End them with `kill -9 {pids}`.")
    if as_json:
        click.echo(json.dumps({"stopped": stopped, "home": str(home.path)}))
    else:
        click.echo("The platform is stopped." if stopped else f"No platform runs in {home.path}.")


def _stop_supervisor(home: Home) -> bool:
    """Ask the supervisor to stop, and wait; give whether there was one."""
    if not home.locked:
        return False
    supervisor = _supervisor(home)
    if supervisor is None:
        raise click.ClickException(f"A platform is starting in {home.path}: try again in a moment.")
    supervisor.signal(signal.SIGTERM)
    limit = time.monotonic() + PATIENCE_SECONDS
    while supervisor.alive and time.monotonic() < limit:
        time.sleep(0.02)
    if supervisor.alive:
        click.echo(f"It did not stop within {PATIENCE_SECONDS:.0f} s and is ended.", err=True)
        supervisor.signal(signal.SIGKILL)
    while supervisor.alive:
        time.sleep(0.02)
    return True


def _supervisor(home: Home) -> Identity | None:
    """Give the process that holds the folder's lock; it writes its id there when it takes it."""
    try:
        document: dict[str, Any] = json.loads(home.lock_file.read_bytes())
        return Identity.read(document)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _end_leftovers(home: Home) -> list[Identity]:
    """End what a supervisor that was killed may have left; give what does not end."""
    left = asyncio.run(processes.end(processes.marked(home.mark), 5.0))
    if not left and not home.locked:
        home.state_file.unlink(missing_ok=True)
    return left
