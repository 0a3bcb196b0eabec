"""What the commands that move organisations have in common: the mover, how far it is, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
import click

from knative.cli.servers import admin_addresses
from knative.platform.home import Home, PlatformSettings
from shared.cache import Cache
from shared.caching import Remote
from shared.database import Database
from shared.placement import RefusedError, StuckError
from shared.placement.hands import unavailable
from shared.placement.mover import Mover
from shared.placement.settings import MoveSettings
from shared.settings import SettingsError, load
from shared.shards import Shards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from uuid import UUID

    from shared.placement.mover import Progress
    from shared.placement.moves import Move

T = TypeVar("T")

RETAIN_SECONDS: Final = 3600
PATIENCE_SECONDS: Final = 60.0


@asynccontextmanager
async def mover(*, quiet: bool, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Mover]:
    """A mover over the shards of the environment, or of the platform that runs here, which tells the cache."""
    addresses = admin_addresses()
    settings = load(MoveSettings)
    links = None if settings.links is None else [one.strip() for one in settings.links.split(",") if one.strip()]
    if links is not None and len(links) != len(addresses):
        raise click.ClickException(
            f"HAL9_SHARDS_LINKS names {len(links)} addresses, HAL9_SHARDS_ADMIN {len(addresses)}."
        )
    async with _caches(settings.cache or _local_cache(), addresses[0]) as shards:

        async def told(org_id: UUID, epoch: int) -> None:
            if shards is not None and not await shards.placements.invalidate(org_id, "", epoch):
                click.echo("The cache was not told: processes find the new home by its shard's refusal.", err=True)

        yield Mover(
            addresses, links=links, told=told, seen=_unseen if quiet else _Line().seen, patience_seconds=patience
        )


@asynccontextmanager
async def _caches(url: str | None, directory: str) -> AsyncIterator[Shards | None]:
    """What invalidates placements; None without a cache."""
    if url is None:
        yield None
        return
    cache = Cache.at(url)
    shards = Shards([Database(directory, pool_size=1)], placements=Remote(cache))
    try:
        yield shards
    finally:
        await shards.close()
        await cache.close()


def _local_cache() -> str | None:
    """The running platform's, unless the shards are somebody else's."""
    if os.environ.get("HAL9_SHARDS_ADMIN"):
        return None
    state: dict[str, Any] = Home.at(load(PlatformSettings).home).read_state() or {}
    return str(state["cache"]) if state.get("cache") else None


def _unseen(progress: Progress) -> None:
    del progress


class _Line:
    """A line on standard error for each thing that is done, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: tuple[str, int] | None = None

    def seen(self, progress: Progress) -> None:
        """Show it when it is something else than before."""
        if (progress.what, progress.done) == self._last:
            return
        self._last = (progress.what, progress.done)
        of = f" ({progress.done} of {progress.total})" if progress.total else ""
        click.echo(f"{time.monotonic() - self._began:7.2f} s  {progress.what}{of}", err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run, and say in a sentence what stands in the way."""
    try:
        return asyncio.run(work)
    except (RefusedError, StuckError) as error:
        raise click.ClickException(f"{str(error).rstrip('.')}.") from None
    except asyncpg.UndefinedTableError:
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None
    except (SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if not unavailable(error):
            raise
        raise click.ClickException(f"A shard does not answer ({type(error).__name__}: {error}).") from None


def document(move: Move) -> dict[str, object]:
    """A move as JSON."""
    moments = ("created_at", "changed_at", "switched_at", "dropped_at")
    return {
        "organisation": str(move.org_id),
        "move": str(move.move_id),
        "rebalance": None if move.rebalance_id is None else str(move.rebalance_id),
        "source": move.source,
        "target": move.target,
        "epoch": move.epoch,
        "step": move.step,
        "reason": move.reason,
        "rows": move.rows,
        "pause_ms": None if move.pause_ms is None else round(move.pause_ms, 1),
        "retain_seconds": move.retain_s,
        **{name: None if (at := getattr(move, name)) is None else at.isoformat() for name in moments},
    }


def ended(move: Move, *, as_json: bool) -> None:
    """Say how a move ended; exit code 1 when it was cancelled for a reason of its own."""
    if as_json:
        click.echo(json.dumps(document(move)))
    elif move.step == "finished":
        pause = "" if move.pause_ms is None else f" Nobody could write for {move.pause_ms:.0f} ms."
        kept = f"is kept for {move.retain_s} s; then upkeep drops it" if move.dropped_at is None else "was dropped"
        click.echo(
            f"{move.org_id} is on shard {move.target}, in epoch {move.epoch + 1}; {move.rows or 0} rows.{pause} "
            f"The old copy on shard {move.source} {kept}."
        )
    else:
        click.echo(f"{move.org_id} stays on shard {move.source}: {move.reason}.")
    if move.step != "finished":
        sys.exit(1)
