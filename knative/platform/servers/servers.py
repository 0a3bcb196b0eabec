"""All servers of one local platform together: the shards' PostgreSQL and Valkey, started and stopped in parallel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import Postgres, make_template, template_folder
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
    """

    def __init__(
        self,
        folder: Path,
        run: Path,
        *,
        shards: int | None = None,
        template: Path | None = None,
        durable: bool = True,
    ) -> None:
        self.folder = folder
        self._template = template
        known = self._were_there()
        self.postgres = [
            Postgres(
                folder / f"postgres-{number}", run, number, folder / f"postgres-{number}.log",
                template=template, durable=durable,
            )
            for number in range(max(known, shards or known or SHARDS))
        ]  # fmt: skip
        self.valkey = Valkey(folder / "valkey", run, folder / "valkey.log")

    @property
    def all(self) -> list[Postgres | Valkey]:
        """Every server."""
        return [*self.postgres, self.valkey]

    @property
    def shards_dsn(self) -> str:
        """HAL9_SHARDS: the application's addresses, in shard order."""
        return ",".join(server.dsn("hal9_app") for server in self.postgres)

    @property
    def shards_admin_dsn(self) -> str:
        """HAL9_SHARDS_ADMIN: the owner's addresses, in shard order."""
        return ",".join(server.dsn("hal9_owner") for server in self.postgres)

    @property
    def cache_url(self) -> str:
        """HAL9_CACHE_URL."""
        return self.valkey.url

    def dead(self) -> list[Postgres | Valkey]:
        """The servers that do not run; `await server.start()` restarts one."""
        return [server for server in self.all if not server.alive]

    async def start(self) -> None:
        """Start every server that does not run, in parallel; when one fails, stop all.

        Raises:
            ServerError: one cannot start; the text says what to do.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        missing = [server for server in self.postgres if not server.folder.exists()]
        if missing:
            self._require_new(missing)
            template = await asyncio.to_thread(self._made_template)
            for server in missing:
                server.template = template
        results = await asyncio.gather(*(server.start() for server in self.all), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]
        if self.postgres:
            self._whole.write_text(str(len(self.postgres)), encoding="utf-8")

    @property
    def _whole(self) -> Path:
        """The file that says how many shards have been there; an empty one, of an earlier release, says `SHARDS`."""
        return self.folder / "whole"

    def _were_there(self) -> int:
        try:
            return int(self._whole.read_text(encoding="utf-8") or SHARDS)
        except (FileNotFoundError, ValueError):
            return 0

    def _require_new(self, missing: list[Postgres]) -> None:
        """A shard that was there must not come back empty: the directory would go on sending organisations to it."""
        known = self._were_there()
        gone = [server for server in missing if self.postgres.index(server) < known]
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
        await asyncio.gather(*(server.stop() for server in self.all))
