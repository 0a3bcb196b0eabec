"""Which servers a command talks to: those of the environment, else those of the local platform that runs."""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from knative.platform.home import Home, PlatformSettings
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any


def cache_address() -> str | None:
    """The cache's address: HAL9_CACHE_URL, else the running platform's; None when neither is there."""
    given = os.environ.get("HAL9_CACHE_URL")
    if given:
        return given
    state = Home.at(load(PlatformSettings).home).read_state() or {}
    return str(state["cache"]) if "cache" in state else None


def admin_addresses() -> Sequence[str]:
    """The shards' addresses for the role that owns them: HAL9_SHARDS_ADMIN, else the running platform's.

    Raises:
        click.ClickException: neither is there; the text says what to do.
    """
    settings = _settings()
    return _addresses(settings, settings.shards_admin, "shards_admin", "HAL9_SHARDS_ADMIN")


def application_addresses() -> Sequence[str]:
    """The shards' addresses for the application's role: HAL9_SHARDS, else the running platform's.

    Raises:
        click.ClickException: neither is there; the text says what to do.
    """
    settings = _settings()
    return _addresses(settings, settings.shards, "shards", "HAL9_SHARDS")


def _settings() -> PlatformSettings:
    try:
        return load(PlatformSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _addresses(settings: PlatformSettings, given: str | None, name: str, variable: str) -> Sequence[str]:
    if given:
        return [dsn.strip() for dsn in given.split(",") if dsn.strip()]
    file = Home.at(settings.home).state_file
    try:
        return list(json.loads(file.read_bytes())[name])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"No platform runs in {file.parent}. Start it with `hal9 up`, or set {variable} to the addresses."
        ) from error


@asynccontextmanager
async def administered(shard: int = 0) -> AsyncIterator[Connection]:
    """A connection to a shard as the role that owns it; the first one holds the directory.

    Raises:
        click.ClickException: There is no such shard, it does not answer, or its schema is older than this release.
    """
    import asyncpg

    from shared.database import hosts

    addresses = admin_addresses()
    if not 0 <= shard < len(addresses):
        raise click.ClickException(f"There is no shard {shard}: HAL9_SHARDS_ADMIN names {len(addresses)}, from 0.")
    try:
        connection = await hosts.connect(
            addresses[shard], timeout=10, server_settings={"application_name": "hal9-operator"}
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise click.ClickException(f"Shard {shard} does not answer ({type(error).__name__}: {error}).") from error
    try:
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None
    finally:
        await connection.close()
