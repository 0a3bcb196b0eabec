"""How moves are made."""

from __future__ import annotations

from shared.settings import setting, settings


@settings
class MoveSettings:
    """How moves are made."""

    links: str | None = setting(
        "HAL9_SHARDS_LINKS",
        None,
        "Addresses of the shards as their servers reach one another, in shard order, with the role that replicates; "
        "HAL9_SHARDS_ADMIN when left out. For moves of organisations.",
        secret=True,
    )
    cache: str | None = setting(
        "HAL9_CACHE_URL", None, "Address of the cache, which is told of an organisation's new home.", secret=True
    )
