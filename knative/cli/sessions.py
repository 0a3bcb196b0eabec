"""`hal9 sessions`: for the platform's operator, begin, list and revoke sessions, rotate and shred what seals them."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import click

from events import catalogue
from knative.cli import tables
from knative.cli.organisationnames import organisation, require_known
from knative.cli.servers import admin_addresses
from knative.platform.home import Home, PlatformSettings
from shared.database import DatabaseSettings, hosts
from shared.datakeys import DataKeys, DataKeySettings, open_master_keys
from shared.permissions import CUSTOMER_ROLES
from shared.problems import Problem
from shared.quotas import QuotaSettings, Tiers
from shared.quotas.seats import Seats
from shared.sessions import (
    COOKIE,
    RevocationIncompleteError,
    SessionPinnedError,
    Sessions,
    SessionSettings,
    session_caches,
)
from shared.sessions.settings import UNREAD
from shared.settings import SettingsError, load
from shared.shards import Shards
from shared.shards.organisations import pinned_region, require_open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from typing import Any

    from shared.database import Database
    from shared.sessions.sessions import Device, Opened

T = TypeVar("T")
_ASK_SECONDS: Final = 5.0
"""For how long the directory is asked whether there is such an organisation."""

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Opened(NamedTuple):
    """What the commands work on."""

    sessions: Sessions
    keys: DataKeys
    region: str
    directory: Database


_ORGANISATION = click.option(
    "--organisation", "org_id", required=True, callback=organisation, help="The organisation: its slug or id."
)


@click.group("sessions")
def command() -> None:
    """Begin, list and revoke sessions, rotate and shred the keys that seal them, as the platform's operator.

    Reads HAL9_SHARDS_ADMIN, HAL9_CACHE_URL and HAL9_DATA_KEYS, else the local platform that runs; HAL9_SESSION_REGIONS
    names the other regions' caches.
    """


@command.command("begin")
@_ORGANISATION
@click.option("--user", "user_id", required=True, type=click.UUID, help="The user's id.")
@click.option(
    "--role", "roles", required=True, multiple=True, type=click.Choice(CUSTOMER_ROLES), help="A role; may be repeated."
)
@click.option("--device", default="hal9 sessions begin", help="What the user is to recognise the session by.")
@_JSON
def begin(org_id: UUID, user_id: UUID, roles: tuple[str, ...], device: str, *, as_json: bool) -> None:
    """Begin a session, as a sign-in would: print its cookie, this once.

    For trying out, and for emergencies: nobody proved who they are. It ends by itself like any other one.
    """

    async def work(at: _Opened) -> Opened:
        await require_open(at.directory, org_id)
        return await at.sessions.create(org_id, user_id, roles, device=device)

    begun = _run(org_id, work)
    cookie = f"{COOKIE}={begun.cookie}"
    document = {"session": str(begun.session.ref), "cookie": cookie, "ends_at": begun.session.ends_at.isoformat()}
    click.echo(json.dumps(document, indent=2) if as_json else cookie)


@command.command("list")
@_ORGANISATION
@click.option("--user", "user_id", required=True, type=click.UUID, help="The user's id.")
@_JSON
def list_sessions(org_id: UUID, user_id: UUID, *, as_json: bool) -> None:
    """List a user's sessions in all regions, the one last used first."""
    found = _run(org_id, lambda opened: opened.sessions.devices(org_id, user_id))
    if as_json:
        click.echo(json.dumps([_document(one) for one in found], indent=2))
    else:
        _table(found)


@command.command("revoke")
@_ORGANISATION
@click.option("--user", "user_id", type=click.UUID, help="All sessions of this user.")
@click.option("--session", "ref", type=click.UUID, help="With --user: only this one, by the id that `list` shows.")
@click.option("--all", "everyone", is_flag=True, help="All sessions of the organisation.")
@_JSON
def revoke(org_id: UUID, user_id: UUID | None, ref: UUID | None, *, everyone: bool, as_json: bool) -> None:
    """End sessions in all regions: it counts from the next request on.

    Exit code 1 when there is no such session, or a region did not answer: then give the command again.
    """
    if everyone is (user_id is not None) or (ref is not None and user_id is None):
        raise click.UsageError("Give --user ID, --user ID --session ID, or --all.")

    async def work(opened: _Opened) -> str:
        if user_id is None:
            await opened.sessions.revoke_organisation(org_id)
            return "All sessions of the organisation are revoked."
        if ref is None:
            await opened.sessions.revoke_user(org_id, user_id)
            return "All sessions of the user are revoked."
        if not await opened.sessions.revoke_device(org_id, user_id, ref):
            raise click.ClickException(f"The user has no session {ref}: see `hal9 sessions list`.")
        return f"{ref} is revoked."

    said = _run(org_id, work)
    whom = {"organisation": org_id, "user": user_id, "session": ref}
    document = {name: str(value) for name, value in whom.items() if value is not None}
    click.echo(json.dumps({"revoked": document}) if as_json else said)


@command.command("rotate-key")
@_ORGANISATION
@click.option("--region", help="The region whose key it is, of those that are known; HAL9_REGION, when left out.")
@_JSON
def rotate_key(org_id: UUID, region: str | None, *, as_json: bool) -> None:
    """Seal an organisation's sessions with a new key from now on; what the old one sealed is still opened."""

    async def work(opened: _Opened) -> dict[str, str]:
        where = region or opened.region
        if where not in opened.sessions.regions:
            known = ", ".join(sorted(opened.sessions.regions))
            raise click.BadParameter(
                f"{where!r} is none of the regions that HAL9_REGION and HAL9_SESSION_REGIONS name: {known}."
            )
        key = await opened.keys.rotate(org_id, where)
        return {"organisation": str(org_id), "region": where, "key": str(key.key_id)}

    made = _run(org_id, work)
    click.echo(
        json.dumps(made) if as_json else f"{made['key']} seals in {made['region']}, everywhere within 5 minutes."
    )


@command.command("prune-keys")
@_ORGANISATION
@_JSON
def prune_keys(org_id: UUID, *, as_json: bool) -> None:
    """Delete an organisation's keys that were superseded so long ago that no session sealed with them can be left."""
    before = datetime.now(UTC) - UNREAD
    pruned = _run(org_id, lambda opened: opened.keys.prune(org_id, before))
    click.echo(json.dumps({"pruned": pruned}) if as_json else f"{pruned} superseded keys are deleted.")


@command.command("shred")
@_ORGANISATION
@click.option("--yes", is_flag=True, help="Really: nothing brings back what the keys sealed.")
@_JSON
def shred(org_id: UUID, *, yes: bool, as_json: bool) -> None:
    """Delete an organisation's data keys in all regions, and end its sessions. What they sealed is unreadable then."""
    if not yes:
        raise click.UsageError("Nothing brings back what the keys sealed: give --yes if that is what you want.")
    deleted = _run(org_id, lambda opened: opened.sessions.shred(org_id))
    click.echo(json.dumps({"shredded": deleted}) if as_json else f"{deleted} keys are deleted, all sessions revoked.")


def _run(org_id: UUID, work: Callable[[_Opened], Coroutine[Any, Any, T]]) -> T:
    """Run for an organisation, and say in a sentence what stands in the way."""

    async def run() -> T:
        await _require_known(org_id)
        async with opened() as there:
            return await work(there)

    try:
        return asyncio.run(run())
    except RevocationIncompleteError as error:
        regions = ", ".join(error.members["regions"])
        raise click.ClickException(
            f"No answer from {regions}: sessions may live on there. Give the command again."
        ) from None
    except SessionPinnedError as pinned:
        said = f"The organisation is pinned to {pinned.region}: give HAL9_REGION, HAL9_CACHE_URL of that region."
        raise click.ClickException(said) from None
    except Problem as problem:
        raise click.ClickException(f"{problem.title}. {problem.detail}") from None
    except asyncpg.UndefinedTableError:
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None
    except (SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None


async def _require_known(org_id: UUID) -> None:
    """Refuse an organisation that there is not: who has mistyped its slug must not read that its sessions are ended.

    Where the directory does not answer nothing is refused: the caches alone can end sessions.
    """
    try:
        directory = await hosts.connect(admin_addresses()[0], timeout=_ASK_SECONDS, command_timeout=_ASK_SECONDS)
    except (OSError, asyncpg.PostgresError):
        return
    try:
        await require_known(directory, org_id)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
        return
    finally:
        directory.terminate()  # it may hang


@asynccontextmanager
async def opened() -> AsyncIterator[_Opened]:
    """Sessions and keys of the environment, or of the platform that runs here."""
    environ = _environment()
    settings = load(SessionSettings, environ)
    caches = session_caches(settings)
    key_settings = load(DataKeySettings, environ)
    masters = open_master_keys(key_settings)
    database = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(admin_addresses())})
    shards = Shards.open(database, application_name="hal9-sessions")
    try:
        keys = DataKeys(shards.directory, masters, key_settings.seconds)
        seats = Seats(shards, Tiers.of(load(QuotaSettings)), catalogue.source("gateway", settings.region))
        sessions = Sessions(
            settings.region, caches, keys, settings,
            pinned=lambda org_id: pinned_region(shards.directory, org_id), seat=seats.take,
        )  # fmt: skip
        yield _Opened(sessions, keys, settings.region, shards.directory)
    finally:
        for cache in caches.values():
            await cache.close()
        await shards.close()


def _environment() -> dict[str, str]:
    """The process's own, with the running platform's in the place of what is not set."""
    home = Home.at(load(PlatformSettings).home)
    state = home.read_state() or {}
    defaults = home.defaults
    if "cache" in state:
        defaults["HAL9_CACHE_URL"] = str(state["cache"])
    return {**defaults, **{name: value for name, value in os.environ.items() if value}}


def _document(one: Device) -> dict[str, object]:
    session = one.session
    return {
        "session": str(session.ref),
        "region": session.region,
        "device": session.device,
        "address": session.address,
        "privileges": sorted(session.privileges),
        "begun_at": session.begun_at.isoformat(),
        "used_at": one.used_at.isoformat(),
        "ends_at": session.ends_at.isoformat(),
    }


def _table(found: Sequence[Device]) -> None:
    from rich.table import Table

    table = Table("SESSION", "REGION", "DEVICE", "ADDRESS", "BEGUN", "LAST USED", "ENDS", box=None, pad_edge=False)
    for one in found:
        session = one.session
        times = (
            moment.astimezone().strftime("%Y-%m-%d %H:%M")
            for moment in (session.begun_at, one.used_at, session.ends_at)
        )
        device, address = (tables.stranger(text or "-") for text in (session.device, session.address))
        table.add_row(str(session.ref), session.region, device, address, *times)
    tables.console().print(table)
