"""All servers of one local platform together: the shards' PostgreSQL and Valkey, started and stopped in parallel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import Postgres, make_template, template_folder
from knative.platform.servers.replicated import Replicated
from knative.platform.servers.valkey import Valkey

if TYPE_CHECKING:
    from pathlib import Path

SHARDS: Final = 3


class Servers:
    """The servers over one folder.

    Args:
        folder: holds a data folder for each server, and their logs.
        run: the folder of their sockets; short, 0700.
        shards: how many PostgreSQL servers; None: as many as were there, or `SHARDS`. Never fewer than were there.
        template: where the initialised data folder is cached; None takes the user's cache folder.
        durable: see `Postgres`.
        replicas: of each shard, 0 or 1. `keeper.Keeper` starts and keeps them; here are their primaries.

    Attributes:
        postgres: each shard's server where it has no replica.
        replicated: each shard's servers where it has one.
    """

    def __init__(
        self,
        folder: Path,
        run: Path,
        *,
        shards: int | None = None,
        template: Path | None = None,
        durable: bool = True,
        replicas: int = 0,
    ) -> None:
        self.folder = folder
        self._template = template
        known = self._were_there()
        self._pairs = [
            Replicated(folder, run, number, template=template, durable=durable)
            for number in range(max(known, shards or known or SHARDS))
        ]
        self.replicated = self._pairs if replicas else []
        self.postgres = [] if replicas else [pair.only() for pair in self._pairs]
        self.valkey = Valkey(folder / "valkey", run, folder / "valkey.log")

    @property
    def all(self) -> list[Postgres | Valkey]:
        """Every server."""
        return [*self.postgres, *(node for pair in self.replicated for node in pair.nodes), self.valkey]

    @property
    def shards_dsn(self) -> str:
        """HAL9_SHARDS: the application's addresses, in shard order."""
        return self._dsn("hal9_app")

    @property
    def shards_admin_dsn(self) -> str:
        """HAL9_SHARDS_ADMIN: the owner's addresses, in shard order."""
        return self._dsn("hal9_owner")

    def _dsn(self, role: str) -> str:
        shards: list[Postgres | Replicated] = [*self.postgres, *self.replicated]
        return ",".join(shard.dsn(role) for shard in shards)

    @property
    def cache_url(self) -> str:
        """HAL9_CACHE_URL."""
        return self.valkey.url

    def dead(self) -> list[Postgres | Valkey]:
        """The servers that do not run, but for those with replicas; `await server.start()` restarts one."""
        plain: list[Postgres | Valkey] = [*self.postgres, self.valkey]
        return [server for server in plain if not server.alive]

    async def start(self) -> None:
        """Start every server that does not run, in parallel; when one fails, stop all.

        Raises:
            ServerError: one cannot start; the text says what to do.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        primaries = [*self.postgres, *(pair.primary for pair in self.replicated)]
        missing = [server for server in primaries if not server.folder.exists()]
        if missing:
            self._require_new(primaries)
            template = await asyncio.to_thread(self._made_template)
            for server in missing:
                server.template = template
        pairs = [pair for pair in self._pairs if pair.primary in primaries]
        starts = [self.valkey.start(), *(pair.start_primary() for pair in pairs)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]
        if primaries:
            self._whole.write_text(str(len(primaries)), encoding="utf-8")

    @property
    def _whole(self) -> Path:
        """The file that says how many shards have been there; an empty one, of an earlier release, says `SHARDS`."""
        return self.folder / "whole"

    def _were_there(self) -> int:
        try:
            return int(self._whole.read_text(encoding="utf-8") or SHARDS)
        except (FileNotFoundError, ValueError):
            return 0

    def _require_new(self, primaries: list[Postgres]) -> None:
        """A shard that was there must not come back empty: the directory would go on sending organisations to it."""
        gone = [server for server in primaries[: self._were_there()] if not server.folder.exists()]
        if gone:
            raise ServerError(
                f"The data folder {gone[0].folder} is gone, and with it a shard. Restore it from a backup; "
                f"or, to start with empty shards, move the others away as well (`mv {self.folder} {self.folder}.old`)."
            )

    def _made_template(self) -> Path:
        """The template, in the user's cache folder; beside the data when that cannot be written."""
        if self._template is None:
            try:
                make_template(template_folder())
            except (OSError, ServerError):
                self._template = self.folder / "template"
            else:
                return template_folder()
        make_template(self._template)
        return self._template

    async def stop(self) -> None:
        """Stop every server."""
        running: list[Postgres | Replicated | Valkey] = [*self.postgres, *self.replicated, self.valkey]
        await asyncio.gather(*(one.stop() for one in running))
