"""What can be set about the gateway."""

from __future__ import annotations

from shared.ratelimits import Limit
from shared.settings import setting, settings


@settings
class GatewaySettings:
    """How often keys and organisations may ask."""

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
    cache_seconds: float = setting(
        "HAL9_LIMIT_CACHE_SECONDS",
        0.25,
        "Seconds that a request waits at most for the cache before this process limits alone.",
        minimum=0.01,
    )

    def limits(self) -> tuple[Limit, Limit]:
        """Give the limit of a key and that of its organisation."""
        return (
            Limit("key", self.key_per_second, self.key_burst),
            Limit("organisation", self.organisation_per_second, self.organisation_burst),
        )
