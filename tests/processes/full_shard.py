"""Moves an organisation to a shard whose disk fills while it is copied; says as JSON what became of it.

    unshare --user --map-root-user --mount python -m tests.processes.full_shard FOLDER

In name spaces of its own, as it mounts that disk: it is gone at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knative.platform.servers import Servers
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.placement.mover import Mover
from shared.settings import load
from shared.shards import Shards
from tests.two_shards import on

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from shared.placement.mover import Progress

DISK: Final = "320m"
LEFT_BYTES: Final = 600_000
ROWS: Final = 4000
TABLE: Final = """
CREATE TABLE bulk (org_id uuid, id int, note text, PRIMARY KEY (org_id, id));
GRANT SELECT, INSERT ON bulk TO hal9_app;
"""
_LEFT: Final = {
    "subscriptions": "SELECT count(*) FROM pg_subscription",
    "publications": "SELECT count(*) FROM pg_publication",
    "slots": "SELECT count(*) FROM pg_replication_slots",
}


def give_disk(folder: Path) -> None:
    """Put a data folder on a disk of its own."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "x", folder], check=True)
    shutil.copytree(aside, folder, dirs_exist_ok=True)


def fill(ballast: Path) -> None:
    """Leave less than a megabyte on a disk."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            file.truncate(max(0, file.tell() - LEFT_BYTES))


async def left(pair: Servers, org_id: UUID) -> list[dict[str, int]]:
    """What each shard has of the organisation, and of a move."""
    found = []
    for shard in range(2):
        async with on(pair, shard) as connection:
            counts = {name: await connection.fetchval(query) for name, query in _LEFT.items()}
            counts["rows"] = await connection.fetchval("SELECT count(*) FROM bulk WHERE org_id = $1", org_id)
            counts["homes"] = await connection.fetchval("SELECT count(*) FROM tenants WHERE org_id = $1", org_id)
            found.append(counts)
    return found


async def moved(pair: Servers, org_id: UUID, seen: Callable[[Progress], None]) -> dict[str, Any]:
    """Move it to shard 1; the step at the end, and why."""
    mover = Mover(pair.shards_admin_dsn.split(","), seen=seen)
    move = await mover.move(org_id, 1, retain_seconds=0)
    return {"step": move.step, "reason": move.reason}


async def main(folder: Path) -> dict[str, Any]:
    """Do it; give what is to be said."""
    pair = Servers(folder / "servers", folder / "run", shards=2)
    await pair.start()
    await pair.stop()
    give_disk(pair.postgres[1].folder)
    await pair.start()
    try:
        await migrate(pair.shards_admin_dsn.split(","))
        for shard in range(2):
            async with on(pair, shard) as connection:
                await connection.execute(TABLE)
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn}))
        try:
            return await _tried(pair, shards, pair.postgres[1].folder / "ballast")
        finally:
            await shards.close()
    finally:
        await pair.stop()


async def _tried(pair: Servers, shards: Shards, ballast: Path) -> dict[str, Any]:
    org_id = new_id()
    while (await shards.create_organisation(org_id, "us-west")).shard != 0:
        org_id = new_id()

    async def write(start: int, rows: int) -> None:
        async with shards.transaction(org_id) as tx:
            await tx.execute(
                "INSERT INTO bulk SELECT $1, n, repeat('x', 1000) FROM generate_series($2::int, $3::int) n",
                org_id, start, start + rows - 1,
            )  # fmt: skip

    def fills(progress: Progress) -> None:
        if progress.what == "preparing the copy" and not ballast.exists():
            fill(ballast)

    await write(0, ROWS)
    said: dict[str, Any] = {"full": await moved(pair, org_id, fills)}
    await write(ROWS, 1)  # the old home serves on
    said["left"] = await left(pair, org_id)
    os.unlink(ballast)  # noqa: PTH108 - it takes no time
    said["room"] = await moved(pair, org_id, lambda _: None)
    await write(ROWS + 1, 1)
    said["after"] = await left(pair, org_id)
    return said


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
