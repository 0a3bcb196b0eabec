"""The way to the broker: what a `Publisher` sends through, and the token that it sends.

    connection = BrokerConnection(settings.broker_url)
    publisher = publisher_over(connection, settings, issuer)
    ...
    await connection.close()

Promises: nothing is connected before the first event; connections are kept and closed; no proxy of the environment is
used. The token is the process's own (`shared.tokens`) for the local platform's broker, and in a cluster the one of the
pod's account, which the kubelet writes to a file and renews. It does not retry: the publisher does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events.publisher import Publisher
from shared.function.outgoing import Outgoing

if TYPE_CHECKING:
    from pathlib import Path

    from events.publisher import PublisherSettings
    from shared.clock import Clock
    from shared.tokens import Issuer

AUDIENCE: Final = "broker"
"""Whom a publisher's tokens are for."""


class BrokerConnection(Outgoing):
    """Connections to the broker, kept.

    Args:
        address: `http://host/path` or `unix:/path/of/a.sock`.
    """


def publisher_over(
    connection: BrokerConnection, settings: PublisherSettings, issuer: Issuer, clock: Clock | None = None
) -> Publisher:
    """Give the publisher that sends through a connection with the process's own token, or its pod's."""
    given = settings.broker_token
    token = (lambda: issuer.mint(AUDIENCE)) if given is None else TokenFile(given)
    return Publisher(connection, token, seconds=settings.publish_seconds, clock=clock)


class TokenFile:
    """A token that something else keeps current in a file, as the kubelet does in a projected volume.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] = (0, 0)
        self._token = ""

    def __call__(self) -> str:
        """Give the token; reads the file when it is another one than the last time.

        Raises:
            OSError: There is no such file.
        """
        status = self._path.stat()
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            self._token = self._path.read_text(encoding="ascii").strip()
            self._version = version
        return self._token
