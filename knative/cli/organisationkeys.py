"""`hal9 organisations keys` and `revoke-keys`: for the platform's operator, the API keys of an organisation."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import asyncpg
import click

from knative.cli.keys import show
from knative.cli.organisationnames import organisation, require_known
from knative.cli.servers import admin_addresses, cache_address
from shared import apikeys
from shared.apikeys.wire import KeyView
from shared.cache import Cache, CacheError, CacheUnavailableError
from shared.clock import SystemClock
from shared.database import Database
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence

    from shared.apikeys import ApiKey

T = TypeVar("T")
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PAGE: Final = 200


@click.command("keys")
@click.argument("org_id", metavar="ORGANISATION", callback=organisation)
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones as well.")
@_JSON
def list_keys(org_id: UUID, *, everything: bool, as_json: bool) -> None:
    """List the API keys of ORGANISATION, newest first: who made them, and when they were last used."""

    async def work() -> list[ApiKey]:
        async with _directory() as directory:
            return await _keys(directory, org_id)

    now = SystemClock().now()
    found = [KeyView.of(key) for key in _run(work()) if everything or key.active(now)]
    if as_json:
        click.echo(json.dumps([key.model_dump(mode="json") for key in found], indent=2))
    else:
        show(found)


@click.command("revoke-keys")
@click.argument("org_id", metavar="ORGANISATION", callback=organisation)
@click.argument("key_ids", metavar="[KEY_ID]...", nargs=-1, type=click.UUID)
@click.option("--made-by", "maker", help="Those that were made by it, as `hal9 organisations keys` shows it.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@_JSON
def revoke_keys(org_id: UUID, key_ids: tuple[UUID, ...], maker: str | None, *, everything: bool, as_json: bool) -> None:
    """End API keys of ORGANISATION, everywhere at once; an owner's last one, too.

    Exit code 1 when it has no such key, or the cache does not answer: then they end within 10 s.
    """
    if sum((bool(key_ids), maker is not None, everything)) != 1:
        raise click.UsageError("Give the keys' ids, --made-by SUBJECT, or --all.")

    async def work() -> list[UUID]:
        async with _directory() as directory:
            found = [key for key in await _keys(directory, org_id) if key.revoked_at is None]
            wanted = [key.key_id for key in found if everything or key.key_id in key_ids or maker == key.made_by]
            if missing := set(key_ids) - set(wanted):
                raise click.ClickException(f"It has no key {', '.join(map(str, missing))} that is not revoked.")
            return await apikeys.end(directory, org_id, wanted, SystemClock().now())

    ended = _run(work())
    try:
        asyncio.run(mark(org_id, ended))
    except (CacheError, CacheUnavailableError) as error:
        raise click.ClickException(
            f"They are revoked, and end within 10 s: the cache does not answer ({error})."
        ) from None
    click.echo(json.dumps({"revoked": [str(one) for one in ended]}) if as_json else f"Revoked: {len(ended)}.")


async def mark(org_id: UUID, keys: Iterable[UUID]) -> bool:
    """Let every process know that keys of an organisation have ended; False where there is no cache to tell.

    Raises:
        CacheError, CacheUnavailableError: They end when no process remembers them any more.
    """
    from functions.gateway.lookups import mark_revoked

    address = cache_address()
    if address is None:
        click.echo("There is no cache to tell: keys end within 10 s.", err=True)
        return False
    cache = Cache.at(address)
    try:
        for key_id in keys:
            await mark_revoked(cache, org_id, key_id)
    finally:
        await cache.close()
    return True


async def _keys(directory: Database, org_id: UUID) -> list[ApiKey]:
    """All keys that the organisation ever had, the newest first.

    Raises:
        click.ClickException: There is no such organisation.
    """
    async with directory.connection() as connection:
        await require_known(connection, org_id)
    found: list[ApiKey] = []
    while page := await apikeys.list_keys(directory, org_id, before=found[-1].key_id if found else None, limit=_PAGE):
        found += page
    return found


@asynccontextmanager
async def _directory() -> AsyncIterator[Database]:
    """The directory, for the role that owns the tables."""
    addresses: Sequence[str] = admin_addresses()
    directory = Database(addresses[0], application_name="hal9-keys")
    try:
        yield directory
    finally:
        await directory.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run, and say in a sentence what stands in the way."""
    try:
        return asyncio.run(work)
    except Problem as problem:
        raise click.ClickException(f"{problem.title}. {problem.detail}") from None
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None
