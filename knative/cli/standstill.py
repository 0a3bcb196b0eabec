"""What keeps a run of the local platform from going on: asked when nothing has happened in it for a while.

Promises: it says only what the platform says of itself, and nothing of a platform elsewhere, which has `hal9 status
--context` and its alerts. Does not: end the wait; what waits for room goes on by itself when there is some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from knative.cli import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.client import Client


def reason(url: str) -> str | None:
    """Say what is wrong with the local platform at an address; None when nothing is, or it is not ours."""
    home, _ = running.chosen()
    found = running.status(home)
    if found is None or found["url"] != url:
        return None
    faults: list[str | None] = [found["disk"]["fault"], found["cache"]["fault"]]
    return next((fault for fault in faults if fault is not None), None)


def told(client: Client, *, quiet: bool) -> Callable[[], None]:
    """Give what `watch` is to call while nothing happens: it says each reason once, on standard error.

    Args:
        client: Of the API whose run is watched.
        quiet: Say nothing.
    """
    said: set[str] = set()

    def tell() -> None:
        why = None if quiet else reason(client.url)
        if why is not None and why not in said:
            said.add(why)
            click.echo(f"Nothing happens at the moment: {why} The run waits for that, and then goes on.", err=True)

    return tell
