"""What can be set about the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.ratelimits import Limit
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


class Limits(NamedTuple):
    """The limits of the door; they are charged together, in one round trip.

    A key is its user until people sign in: whoever does then has a limit of their own here.
    """

    key: Limit
    organisation: Limit
    route: Limit

    def of(self, org_id: UUID, key_id: UUID, route: str) -> Sequence[tuple[Limit, str]]:
        """Give each limit with what a request is counted by; a cluster has one organisation's on one node.

        Args:
            org_id: The organisation.
            key_id: Its API key.
            route: Method and path as the table of routes has them, for example `GET /v1/runs/{run_id}`.
        """
        own = f"hal9:{{{org_id}}}:rate"
        return (
            (self.key, f"{own}:key:{key_id}"),
            (self.organisation, f"{own}:all"),
            (self.route, f"{own}:route:{route}"),
        )


@settings
class GatewaySettings:
    """How often keys and organisations may ask, and where the gateway runs."""

    region: str = setting("HAL9_REGION", "us-west", "Region that this process runs in.")
    key_per_second: float = setting(
        "HAL9_LIMIT_KEY_PER_SECOND", 100.0, "Requests per second that one API key may make.", minimum=0.001
    )
    key_burst: int = setting("HAL9_LIMIT_KEY_BURST", 300, "Requests that one key may make at once.", minimum=1)
    organisation_per_second: float = setting(
        "HAL9_LIMIT_ORGANISATION_PER_SECOND",
        400.0,
        "Requests per second that all keys of an organisation may make together.",
        minimum=0.001,
    )
    organisation_burst: int = setting(
        "HAL9_LIMIT_ORGANISATION_BURST",
        1200,
        "Requests that all keys of an organisation may make at once.",
        minimum=1,
    )
    route_per_second: float = setting(
        "HAL9_LIMIT_ROUTE_PER_SECOND",
        200.0,
        "Requests per second that all keys of an organisation may make to one route.",
        minimum=0.001,
    )
    route_burst: int = setting(
        "HAL9_LIMIT_ROUTE_BURST",
        600,
        "Requests that all keys of an organisation may make to one route at once.",
        minimum=1,
    )
    cache_seconds: float = setting(
        "HAL9_LIMIT_CACHE_SECONDS",
        0.25,
        "Seconds that a request waits at most for the cache before this process limits alone.",
        minimum=0.01,
    )

    def limits(self) -> Limits:
        """Give the limits that every request is charged to."""
        return Limits(
            Limit("key", self.key_per_second, self.key_burst),
            Limit("organisation", self.organisation_per_second, self.organisation_burst),
            Limit("route", self.route_per_second, self.route_burst),
        )
