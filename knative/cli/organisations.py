"""`hal9 organisations`: for the platform's operator, make, list, split, merge organisations, tiers, their keys."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import click

from knative.cli import organisationkeys, reorganising, tables
from knative.cli.organisationnames import new_slug
from knative.cli.servers import admin_addresses, cache_address
from knative.platform.home import PlatformSettings
from shared.cache import Cache
from shared.caching import Remote
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.problems import Problem
from shared.quotas import TIERS
from shared.randomness import SystemRandomness
from shared.settings import load
from shared.shards import Shards
from shared.shards.organisations import SLUG, Organisation, change_tier, establish, organisation_id, organisations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from datetime import datetime
    from typing import Any
    from uuid import UUID

T = TypeVar("T")
_IDS = ("org_id", "split_from", "merged_into")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _region(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    del context, parameter
    if value is not None and not SLUG.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no region's name: give one such as `eu-central`.")
    return value


@click.group("organisations")
def command() -> None:
    """Make, list, split and merge organisations, change their tiers, end their keys, as the platform's operator.

    Reads HAL9_SHARDS_ADMIN, else the local platform that runs; `create` works on a cluster too, through its API.
    """


@command.command("create")
@click.argument("slug", callback=new_slug)
@click.option(
    "--region", callback=_region, help="The region that its data stays in; HAL9_REGION or the cluster's, when left out."
)
@click.option("--pin", "pinned", is_flag=True, help="It is never placed or moved outside its region.")
@click.option("--context", help="Make it on the cluster of that context of KUBECONFIG: the key is made here.")
@click.option("--namespace", default="hal9", show_default=True, help="Namespace of the deployment on that cluster.")
@_JSON
def create(slug: str, region: str | None, *, pinned: bool, context: str | None, namespace: str, as_json: bool) -> None:
    """Make the organisation SLUG, and print its first owner's key: this once, it is kept nowhere.

    For one that exists, a key is made only when no owner's key of it works any more: revoked, expired, or never given
    because the first try was cut off. Exit code 1 when one does.
    """
    if context is not None and pinned:
        raise click.UsageError("--pin is for HAL9_SHARDS_ADMIN: pin it afterwards with `hal9 tenants pin`.")
    if context is not None:
        _on_cluster(slug, region, context, namespace, as_json=as_json)
        return
    made = _run(_create(slug, region or load(PlatformSettings).region, pinned=pinned))
    if made is None:
        raise _exists(slug)
    organisation, key = made
    if as_json:
        click.echo(json.dumps({**_document(organisation), "key": key}, indent=2))
        return
    _show_key(key, slug, f"{organisation.org_id}, {organisation.region}")


def _on_cluster(slug: str, region: str | None, context: str, namespace: str, *, as_json: bool) -> None:
    from knative.cli.clusterorganisations import establish

    made = establish(context, namespace, slug, region)
    if made.key is None:
        raise _exists(slug)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(made), "org_id": str(made.org_id)}, indent=2))
        return
    _show_key(made.key, slug, f"{made.org_id}, {made.region}")


def _exists(slug: str) -> click.ClickException:
    return click.ClickException(
        f"The organisation {slug} exists, and a key of its owner works: make others with that (`hal9 keys create`)."
    )


def _show_key(key: str, slug: str, about: str) -> None:
    click.echo(key)
    click.echo(
        f"\nThat is the whole key of the owner of {slug} ({about}), shown this once: hand it over now.\n"
        "It is used as HAL9_API_KEY; with it, `hal9 keys create` makes further ones.",
        err=True,
    )


@command.command("list")
@_JSON
def list_organisations(*, as_json: bool) -> None:
    """List every organisation: its slug, id, region and shard, the newest last."""
    found = _run(_list())
    if as_json:
        click.echo(json.dumps([_document(one) for one in found], indent=2))
    else:
        _table(found)


@command.command("tier")
@click.argument("slug", callback=new_slug)
@click.argument("tier", type=click.Choice(tuple(TIERS)))
@_JSON
def change(slug: str, tier: str, *, as_json: bool) -> None:
    """Give the organisation SLUG another TIER: what it may use, and its share where organisations wait.

    It counts everywhere within a minute. A lower tier takes nothing away that is used already: what would be more is
    refused. Exit code 1 when there is no such organisation.
    """
    had = _run(_change(organisation_id(slug), tier))
    if had is None:
        raise click.ClickException(f"There is no organisation {slug}: see `hal9 organisations list`.")
    if as_json:
        click.echo(json.dumps({"slug": slug, "tier": tier, "before": had}, indent=2))
    else:
        click.echo(f"{slug} has the tier {tier} (before: {had}); it counts everywhere within a minute.")


command.add_command(reorganising.split)
command.add_command(reorganising.merge)
command.add_command(organisationkeys.list_keys)
command.add_command(organisationkeys.revoke_keys)


async def _change(org_id: UUID, tier: str) -> str | None:
    async with _shards() as shards:
        had = await change_tier(shards.directory, org_id, tier)
    address = cache_address()
    if had is not None and address is not None:
        # What the cache has of the organisation says the tier before. Without it, functions ask again a little later.
        cache = Cache.at(address)
        await Remote(cache).forget(("placement", org_id, ""))
        await cache.close()
    return had


async def _create(slug: str, region: str, *, pinned: bool) -> tuple[Organisation, str] | None:
    async with _shards() as shards:
        key = await establish(shards, slug, region, SystemClock(), SystemRandomness(), pinned=pinned)
        if key is None:
            return None
        found = await organisations(shards.directory)
        made = next(one for one in found if one.org_id == organisation_id(slug))
        stands = (await shards.topology()).shard(made.shard)
    if stands is not None and stands.region not in {None, made.region}:
        click.echo(f"No shard of the region {made.region} takes organisations: {slug} is on {stands}.", err=True)
    return made, key


async def _list() -> Sequence[Organisation]:
    async with _shards() as shards:
        return await organisations(shards.directory)


@asynccontextmanager
async def _shards() -> AsyncIterator[Shards]:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(admin_addresses())})
    shards = Shards.open(settings, application_name="hal9-organisations")
    try:
        yield shards
    finally:
        await shards.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run, and say in a sentence what stands in the way."""
    try:
        return asyncio.run(work)
    except Problem as problem:
        own = problem.slug in {"residency", "organisation-merged"}
        remedy = "" if own else " Start the platform, or check HAL9_SHARDS_ADMIN."
        raise click.ClickException(f"{problem.detail}{remedy}") from None
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None


def _document(one: Organisation) -> dict[str, object]:
    ids = {name: None if (value := getattr(one, name)) is None else str(value) for name in _IDS}
    return {
        **dataclasses.asdict(one),
        **ids,
        "created_at": one.created_at.isoformat(),
        "merging_at": None if one.merging_at is None else one.merging_at.isoformat(),
    }


def _state(one: Organisation) -> str:
    if one.merged_into is None:
        return "open"
    if one.closed or one.merging_at is None:
        return f"part of {one.merged_into}"
    return f"becoming part of {one.merged_into} since {_minute(one.merging_at)}"


def _minute(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _table(found: Sequence[Organisation]) -> None:
    from rich.table import Table

    table = Table("SLUG", "ID", "REGION", "SHARD", "TIER", "CREATED", "STATE", box=None, pad_edge=False)
    for one in found:
        created = _minute(one.created_at)
        region = f"{one.region} (pinned)" if one.pinned else one.region
        table.add_row(one.slug or "-", str(one.org_id), region, str(one.shard), one.tier, created, _state(one))
    tables.console().print(table)
