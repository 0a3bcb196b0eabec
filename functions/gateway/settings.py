"""What can be set about the gateway."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.ratelimits import Limit
from shared.settings import SettingsError, setting, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


class Limits(NamedTuple):
    """The limits of the door; they are charged together, in one round trip.

    What is counted of one organisation lies on one node of a cluster. A route is named by its method and path as the
    table of routes has them, for example `GET /v1/runs/{run_id}`.
    """

    key: Limit
    user: Limit
    organisation: Limit
    route: Limit

    def of_key(self, org_id: UUID, key_id: UUID, route: str) -> Sequence[tuple[Limit, str]]:
        """Give each limit with what a request with an API key is counted by."""
        return (self.key, f"{_own(org_id)}:key:{key_id}"), *self._together(org_id, route)

    def of_user(self, org_id: UUID, user_id: UUID, route: str) -> Sequence[tuple[Limit, str]]:
        """Give each limit with what a request of somebody who is signed in is counted by, in all their sessions."""
        return (self.user, f"{_own(org_id)}:user:{user_id}"), *self._together(org_id, route)

    def _together(self, org_id: UUID, route: str) -> Sequence[tuple[Limit, str]]:
        return (self.organisation, f"{_own(org_id)}:all"), (self.route, f"{_own(org_id)}:route:{route}")


def _own(org_id: UUID) -> str:
    return f"hal9:{{{org_id}}}:rate"


@settings
class GatewaySettings:
    """How often keys, people and organisations may ask, and where the gateway runs."""

    region: str = setting("HAL9_REGION", "us-west", "Region that this process runs in.")
    key_per_second: float = setting(
        "HAL9_LIMIT_KEY_PER_SECOND", 100.0, "Requests per second that one API key may make.", minimum=0.001
    )
    key_burst: int = setting("HAL9_LIMIT_KEY_BURST", 300, "Requests that one key may make at once.", minimum=1)
    user_per_second: float = setting(
        "HAL9_LIMIT_USER_PER_SECOND",
        50.0,
        "Requests per second that somebody who is signed in may make, in all their sessions together.",
        minimum=0.001,
    )
    user_burst: int = setting(
        "HAL9_LIMIT_USER_BURST", 200, "Requests that somebody who is signed in may make at once.", minimum=1
    )
    organisation_per_second: float = setting(
        "HAL9_LIMIT_ORGANISATION_PER_SECOND",
        400.0,
        "Requests per second that all keys and people of an organisation may make together.",
        minimum=0.001,
    )
    organisation_burst: int = setting(
        "HAL9_LIMIT_ORGANISATION_BURST",
        1200,
        "Requests that all keys and people of an organisation may make at once.",
        minimum=1,
    )
    route_per_second: float = setting(
        "HAL9_LIMIT_ROUTE_PER_SECOND",
        200.0,
        "Requests per second that all keys and people of an organisation may make to one route.",
        minimum=0.001,
    )
    route_burst: int = setting(
        "HAL9_LIMIT_ROUTE_BURST",
        600,
        "Requests that all keys and people of an organisation may make to one route at once.",
        minimum=1,
    )
    cache_seconds: float = setting(
        "HAL9_LIMIT_CACHE_SECONDS",
        0.25,
        "Seconds that a request waits at most for the cache before this process limits alone.",
        minimum=0.01,
    )
    session_cache_seconds: float = setting(
        "HAL9_SESSION_CACHE_SECONDS",
        0.5,
        "Seconds that a request with a session's cookie waits at most for the cache before it is a 503.",
        minimum=0.01,
    )
    public_origins: str = setting(
        "HAL9_PUBLIC_ORIGINS",
        "",
        "Origins that browsers know this door by, https://HOST, separated by blanks, where the gateway gets another"
        " Host; left out: the request's own Host, over HTTPS. Lets in no page of another origin.",
    )

    def origins(self) -> frozenset[str]:
        """Give the public origins.

        Raises:
            SettingsError: One of them is no origin.
        """
        found = self.public_origins.split()
        faults = [
            f"HAL9_PUBLIC_ORIGINS: {one!r} is no origin: https://HOST" for one in found if not _ORIGIN.fullmatch(one)
        ]
        if faults:
            raise SettingsError(faults)
        return frozenset(found)

    def limits(self) -> Limits:
        """Give the limits that every request is charged to."""
        return Limits(
            Limit("key", self.key_per_second, self.key_burst),
            Limit("user", self.user_per_second, self.user_burst),
            Limit("organisation", self.organisation_per_second, self.organisation_burst),
            Limit("route", self.route_per_second, self.route_burst),
        )
