"""How long sessions last, and where the other regions' are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.cache import Cache
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY: Final = 86_400
MOST_SECONDS: Final = 31 * DAY
"""No session lasts longer, whatever the settings say."""
ELSEWHERE_SECONDS: Final = 2.0
"""What a command to another region's cache may take."""

UNREAD: Final = timedelta(seconds=MOST_SECONDS, hours=1)
"""After so long nothing is read that a superseded key sealed: some processes went on with it, clocks differ."""


@settings
class SessionSettings:
    """How long people stay signed in, and where."""

    idle_seconds: int = setting(
        "HAL9_SESSION_IDLE_SECONDS", 1800, "Seconds without a request after which a session ends.",
        minimum=1, maximum=MOST_SECONDS,
    )  # fmt: skip
    seconds: int = setting(
        "HAL9_SESSION_SECONDS", 12 * 3600, "Seconds after which a session ends, however much it is used.",
        minimum=1, maximum=MOST_SECONDS,
    )  # fmt: skip
    tombstone_seconds: int = setting(
        "HAL9_SESSION_TOMBSTONE_SECONDS", 15,
        "Seconds for which an id that was replaced still reads, for requests that were under way.",
        minimum=1, maximum=60,
    )  # fmt: skip
    each: int = setting(
        "HAL9_SESSIONS_EACH", 50, "Sessions that one user has at most in a region; the oldest one ends.", minimum=1
    )
    region: str = setting("HAL9_REGION", "us-west", "Region that this process runs in.")
    cache: str | None = setting("HAL9_CACHE_URL", None, "Address of this region's cache.", secret=True)
    regions: str = setting(
        "HAL9_SESSION_REGIONS",
        "",
        "The other regions' caches, REGION=ADDRESS, separated by blanks: sessions are revoked there, and moved here.",
        secret=True,
    )


def session_caches(settings: SessionSettings, seconds: float = 2.0) -> Mapping[str, Cache]:
    """The caches of all regions, by region; nothing is connected yet.

    Args:
        settings: Where they are.
        seconds: What this region's may take for a command; the others are given `ELSEWHERE_SECONDS`.

    Raises:
        ValueError: HAL9_CACHE_URL is not set, or HAL9_SESSION_REGIONS is malformed or names this region.
    """
    if settings.cache is None:
        raise ValueError("HAL9_CACHE_URL is not set: sessions are kept there")
    caches = {settings.region: Cache.at(settings.cache, seconds)}
    for part in settings.regions.split():
        region, equals, url = part.partition("=")
        if not (region and equals and url) or region in caches:
            raise ValueError("HAL9_SESSION_REGIONS must be REGION=ADDRESS, separated by blanks, each other region once")
        caches[region] = Cache.at(url, ELSEWHERE_SECONDS)
    return caches
