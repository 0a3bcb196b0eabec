"""`hal9 shards promote`: make the primary of a shard's replica."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Final

import click

from knative.cli import running

_PAUSE_SECONDS: Final = 0.5


@click.command("promote")
@click.argument("number", type=click.IntRange(min=0))
@click.option(
    "--wait", "wait_seconds", type=click.IntRange(0, 3600), default=60, show_default=True,
    help="Seconds to wait until the replica has everything.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(number: int, *, wait_seconds: int, as_json: bool) -> None:
    """Make the replica of shard NUMBER its primary, before the machine of the present one is worked on, say.

    For the local platform (`hal9 up --replicas 1`). The present primary is shut down when its replica has all that it
    wrote, so nothing is lost; it comes back as the replica. Writes wait a second or two. Where somebody else runs the
    servers, promote with their means: HAL9 finds the new primary among the hosts of the address.

    \b
    Exit codes:
      0    promoted
      1    refused, and nothing was changed: the text says why
    """
    home, _ = running.chosen()
    limit = time.monotonic() + wait_seconds
    while True:
        answered = running.ask(home, "POST", f"/shards/{number}/promote")
        if answered is None:
            raise click.ClickException("The platform does not answer: see `hal9 status`, and `hal9 logs supervisor`.")
        status, said = answered
        if status == http.client.OK:
            break
        if not said.get("again") or time.monotonic() > limit:
            raise click.ClickException(str(said.get("fault", said)))
        time.sleep(_PAUSE_SECONDS)
    click.echo(json.dumps(said) if as_json else _told(said))


def _told(said: dict[str, Any]) -> str:
    return f"{said['primary']} is the primary of shard {said['shard']}, generation {said['generation']}."
