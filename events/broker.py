"""The way to the broker: what a `Publisher` sends through.

    connection = BrokerConnection(settings.broker_url)
    publisher = publisher_over(connection, settings, issuer)
    ...
    await connection.close()

Promises: nothing is connected before the first event; connections are kept and closed; no proxy of the environment is
used. It does not retry: the publisher does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events.publisher import Publisher
from shared.function.outgoing import Outgoing

if TYPE_CHECKING:
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
    """Give the publisher that sends through a connection with the process's own token."""
    return Publisher(connection, lambda: issuer.mint(AUDIENCE), seconds=settings.publish_seconds, clock=clock)
