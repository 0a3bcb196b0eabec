"""What must be there before functions start: the schema, and the demo organisation with its API key.

A process of its own (`python -m knative.platform.bootstrap HOME URL`), so that the supervisor never loads a database
driver. Reads HAL9_SHARDS, HAL9_SHARDS_ADMIN, HAL9_DATA_KEYS, HAL9_REGION and HAL9_REPLICAS. Every step may be
repeated, and is where there are replicas: the keeper may have started a primary again, or replaced it, meanwhile. What
goes wrong is one sentence on standard error, exit code 1.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from knative.platform.home import Home, PlatformSettings, replace
from knative.platform.servers.replicated import slots
from shared import apikeys
from shared.clock import SystemClock
from shared.database import CommitUnknownError, DatabaseSettings, ShardUnavailableError, hosts
from shared.database.migrations import LedgerError, MigrationError, ShardAwayError, migrate
from shared.database.retry import is_connection_lost
from shared.datakeys import DataKeySettings, open_master_keys
from shared.placement import fleet
from shared.problems import Problem
from shared.randomness import SystemRandomness
from shared.replicas import lease
from shared.settings import load
from shared.shards import Shards
from shared.shards.organisations import organisation_id, owner_key

if TYPE_CHECKING:
    from uuid import UUID

    from shared.clock import Clock

DEMO_SLUG: Final = "demo"
DEMO_ORGANISATION: Final[UUID] = organisation_id(DEMO_SLUG)
"""The same on every platform, so that losing credentials.json does not lose the organisation."""


_TRIES: Final = 5
_PAUSE_SECONDS: Final = 2.0
"""Between two of them: with the others more than a primary needs to come back, or its replica to take over."""


async def prepare_watched(home: Home, url: str, clock: Clock) -> None:
    """Prepare databases that have a keeper: from the start again when one was lost meanwhile.

    Raises:
        MigrationError: As `prepare`, also when a shard was away at each try.
        ShardUnavailableError: Likewise.
    """
    for _ in range(_TRIES - 1):
        try:
            await prepare(home, url)
        except Exception as error:
            if not _passes(error):
                raise
            sys.stderr.write(f"tried again: {error}\n")
        else:
            return
        await clock.sleep(_PAUSE_SECONDS)
    await prepare(home, url)


def _passes(error: Exception) -> bool:
    """Whether it may be different when a server is back."""
    return isinstance(error, (ShardAwayError, CommitUnknownError, TimeoutError)) or is_connection_lost(error)


async def prepare(home: Home, url: str) -> None:
    """Migrate every shard, and see that the demo organisation's credentials work.

    Raises:
        MigrationError: The schema cannot be brought up to date.
        ShardUnavailableError: A shard does not answer.
    """
    admin = [dsn for dsn in os.environ["HAL9_SHARDS_ADMIN"].split(",") if dsn]
    await migrate(admin)
    if load(PlatformSettings).replicas == 0:
        await _watch_no_more(home, admin)
    region = load(PlatformSettings).region
    await _say_where(admin[0], region)
    shards = Shards.open(load(DatabaseSettings), application_name="hal9-bootstrap")
    try:
        await _make_master_key(shards, home, region)
        await shards.create_organisation(DEMO_ORGANISATION, region, slug=DEMO_SLUG)
        key = await _working_key(shards, home) or await owner_key(
            shards.directory, DEMO_ORGANISATION, DEMO_SLUG, SystemClock(), SystemRandomness()
        )
    finally:
        await shards.close()
    credentials = {"url": url, "api_key": key, "organisation": str(DEMO_ORGANISATION), "slug": DEMO_SLUG}
    replace(home.credentials_file, json.dumps(credentials, indent=1).encode(), 0o600)


async def _say_where(directory: str, region: str) -> None:
    """Where nobody has said where a shard stands, it stands here."""
    connection = await hosts.connect(directory, server_settings={"application_name": "hal9-bootstrap"})
    try:
        await fleet.stands_in(connection, region)
    finally:
        await connection.close()


async def _make_master_key(shards: Shards, home: Home, region: str) -> None:
    """Make a new platform's master key, where it is a file of its own: from then on one that is not there was lost."""
    settings = load(DataKeySettings)
    if settings.url != home.defaults["HAL9_DATA_KEYS"]:
        return
    try:
        await shards.locate(DEMO_ORGANISATION)
    except Problem as error:
        if error.slug != "organisation-unknown":
            raise
        await open_master_keys(settings).generate(DEMO_ORGANISATION, region)


async def _watch_no_more(home: Home, admin: list[str]) -> None:
    """Let primaries write that had a replica, and somebody who watched them, the last time; ours keep no log for it."""
    for number, dsn in enumerate(admin):
        connection = await hosts.connect(dsn)
        try:
            await lease.lift(connection)
            if parse_qs(urlsplit(dsn).query).get("host") == [str(home.run)]:
                await lease.keep_log_for_none(connection, slots(number))
        finally:
            await connection.close()


async def _working_key(shards: Shards, home: Home) -> str | None:
    """Give the key that was written before, if it still opens."""
    text = _written(home).get("api_key")
    presented = apikeys.present(text) if isinstance(text, str) else None
    if presented is None:
        return None
    row = await apikeys.find(shards.directory, presented.prefix)
    sound = row is not None and row.org_id == DEMO_ORGANISATION and row.active(SystemClock().now())
    return text if presented.matches(row.secret_hash if row else None) and sound else None


def _written(home: Home) -> dict[str, Any]:
    try:
        document = json.loads(home.credentials_file.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def main() -> int:
    """Run; give the exit code."""
    home, url = Home.at(Path(sys.argv[1])), sys.argv[2]
    watched = load(PlatformSettings).replicas > 0
    try:
        asyncio.run(prepare_watched(home, url, SystemClock()) if watched else prepare(home, url))
    except LedgerError as error:
        about = str(error).splitlines()[-1].strip()
        sys.stderr.write(
            "The databases were made by another version of HAL9: start that one, or set HAL9_HOME to another folder, "
            f"which begins anew ({about}).\n"
        )
        return 1
    except (MigrationError, ShardUnavailableError, CommitUnknownError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(f"The databases could not be prepared ({type(error).__name__}: {error}): start it again.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
