"""The client of the commands that talk to the API: its faults become refusals, and its waits are told.

Promises: a command that waits longer than a moment for the API says what for, on standard error, and goes on saying it
when that changes; with --json it says nothing before the end.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from knative.cli import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.client import Client, ClientError

_NOTICED_SECONDS: Final = 1.0


@contextmanager
def connected(*, quiet: bool = False) -> Iterator[Client]:
    """Give the client of the environment's credentials.

    Args:
        quiet: Say nothing about waits.

    Raises:
        click.ClickException: The API, or the way to it, refused.
    """
    from shared.client import Client, ClientError

    try:
        with Client.from_environment(told=None if quiet else _tell) as client:
            yield client
    except ClientError as error:
        raise refusals.of(error) from None


def _tell(error: ClientError, seconds: float) -> None:
    """Say what is waited for; a pause that nobody notices is not worth a line."""
    if seconds >= _NOTICED_SECONDS:
        click.echo(f"Waiting {seconds:.0f} s to try again: {error}", err=True)
