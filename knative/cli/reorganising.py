"""`hal9 organisations split` and `merge`: for the platform's operator, an organisation in two parts, or two in one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import click

from knative.cli import organisationkeys
from knative.cli.organisationnames import new_slug, organisation
from knative.cli.servers import administered, application_addresses
from knative.platform.home import Home, PlatformSettings
from shared.cache import CacheError, CacheUnavailableError
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.objects import ObjectsFullError, ObjectsSettings, open_objects
from shared.placement import RefusedError, StuckError
from shared.placement.hands import unavailable
from shared.problems import Problem
from shared.quotas import QuotaSettings, Tiers
from shared.randomness import SystemRandomness
from shared.reorganisation import Reorganiser
from shared.reorganisation.reorganiser import SETTLE_SECONDS
from shared.settings import SettingsError, load
from shared.shards import Shards
from shared.shards.organisations import establish, organisation_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from shared.reorganisation import Plan

T = TypeVar("T")

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PLAN: Final = click.option("--plan", "plan_only", is_flag=True, help="Say what would go, and what is in the way.")


class _Work(NamedTuple):
    """What the commands work with."""

    reorganiser: Reorganiser
    shards: Shards


def _ids(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[UUID]:
    del context, parameter
    texts = [text.strip() for part in value for text in part.split(",") if text.strip()]
    try:
        return [UUID(text) for text in texts]
    except ValueError:
        raise click.BadParameter("Give the projects' ids, separated by commas: see `hal9 projects list`.") from None


@click.command("split")
@click.argument("org_id", metavar="ORGANISATION", callback=organisation)
@click.option("--into", "slug", required=True, callback=new_slug, help="The new organisation's name.")
@click.option(
    "--projects",
    "ids",
    required=True,
    multiple=True,
    callback=_ids,
    metavar="ID[,ID…]",
    help="Which projects go there.",
)
@_PLAN
@_JSON
def split(org_id: UUID, slug: str, ids: list[UUID], *, plan_only: bool, as_json: bool) -> None:
    """Make a part of ORGANISATION an organisation of its own, and print its first owner's key: this once.

    The projects go with what was made, one after the other, each in one transaction. The new organisation has the
    region, the pin and the tier of ORGANISATION. Runs, what they cost, keys and sessions stay.

    \b
    Exit codes:
      0  done, or with --plan: nothing is in the way
      1  refused, and nothing was changed; or some could not go, as the text says
    Cut off at any moment, the same command goes on.
    """

    async def work() -> tuple[Plan, str | None]:
        async with _opened(as_json=as_json) as there:
            if plan_only:
                return await there.reorganiser.plan_split(org_id, slug, ids), None
            done = await there.reorganiser.split(org_id, slug, ids)
            return done, await _first_key(there.shards, slug, org_id)

    done, key = _run(work())
    if as_json:
        click.echo(json.dumps({**_document(done), "key": key}, indent=2))
    elif plan_only:
        _show(done, "Keys and sessions stay what they are.")
    else:
        _show_key(slug, done, key)
    sys.exit(1 if done.conflicts or done.left else 0)


@click.command("merge")
@click.argument("org_id", metavar="FROM", callback=organisation)
@click.option("--into", "into", required=True, callback=organisation, help="The organisation that has all then.")
@click.option(
    "--settle", type=click.FloatRange(0), default=SETTLE_SECONDS, show_default=True,
    help="Seconds that requests get which were let in before FROM was shut.",
)  # fmt: skip
@click.option(
    "--patience", type=click.FloatRange(0), default=60.0, show_default=True,
    help="Seconds that runs get which they have begun.",
)  # fmt: skip
@_PLAN
@_JSON
def merge(org_id: UUID, into: UUID, settle: float, patience: float, *, plan_only: bool, as_json: bool) -> None:
    """Make FROM a part of another organisation, and close it.

    Its keys and sessions end at once. All its projects go with what was made, one after the other, each in one
    transaction; then it is closed. Runs, and what they cost, stay as its records; its name is not given again.

    \b
    Exit codes:
      0  done, or with --plan: nothing is in the way
      1  refused, and nothing was changed; or it stands, as the text says
    Cut off at any moment, the same command goes on.
    """
    if org_id == organisation_id("demo"):
        raise click.ClickException("`demo` is not merged: it is the platform's own, and `hal9 up` opens it each time.")

    async def work() -> Plan:
        async with _opened(as_json=as_json, settle=settle, patience=patience) as there:
            if plan_only:
                return await there.reorganiser.plan_merge(org_id, into)
            return await there.reorganiser.merge(org_id, into)

    done = _run(work())
    if as_json:
        click.echo(json.dumps(_document(done), indent=2))
    elif plan_only:
        _show(done, "Its keys and sessions end, and it is closed.")
    else:
        click.echo(f"{org_id} is part of {into}, and closed: {_counts(done)} went.")
    sys.exit(1 if done.conflicts else 0)


@asynccontextmanager
async def _opened(*, as_json: bool, settle: float = 0.0, patience: float = 0.0) -> AsyncIterator[_Work]:
    from events import catalogue
    from functions.codegen.reorganising import Projects

    settings = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(application_addresses())})
    shards = Shards.open(settings, application_name="hal9-organisations")
    try:
        tiers = Tiers.of(load(QuotaSettings))
        source = catalogue.source("codegen", load(PlatformSettings).region)
        projects = Projects(shards, open_objects(_objects()), tiers, source)
        async with administered() as directory:
            reorganiser = Reorganiser(
                directory, shards, tiers, [projects], shut=_shut, seen=_unseen if as_json else _seen,
                settle_seconds=settle, patience_seconds=patience,
            )  # fmt: skip
            yield _Work(reorganiser, shards)
    finally:
        await shards.close()


def _unseen(said: str) -> None:
    del said


def _seen(said: str) -> None:
    click.echo(said, err=True)


def _objects() -> ObjectsSettings:
    """Where archives are: HAL9_OBJECTS, else the platform's that runs here."""
    return load(ObjectsSettings, {**Home.at(load(PlatformSettings).home).defaults, **os.environ})


async def _shut(org_id: UUID, keys: Sequence[UUID]) -> None:
    """Let every process know that an organisation's keys have ended, and end its sessions."""
    from knative.cli import sessions

    try:
        if not await organisationkeys.mark(org_id, keys):
            return
    except (CacheError, CacheUnavailableError) as error:
        raise click.ClickException(f"The cache does not answer ({error}): give the same command again.") from None
    async with sessions.opened() as there:
        await there.sessions.revoke_organisation(org_id)


async def _first_key(shards: Shards, slug: str, giver: UUID) -> str | None:
    """Make the new organisation's first key; None when an owner's key of it works already."""
    # It is there, so that its own region stays, whatever is said here.
    region = (await shards.locate(giver)).region
    return await establish(shards, slug, region, SystemClock(), SystemRandomness())


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run, and say in a sentence what stands in the way."""
    try:
        return asyncio.run(work)
    except (RefusedError, StuckError) as error:
        raise click.ClickException(f"{str(error).rstrip('.')}.") from None
    except Problem as problem:
        raise click.ClickException(f"{problem.title}. {problem.detail} Give the same command again.") from None
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError):
        raise click.ClickException("The schema is not up to date: run `hal9 migrate`.") from None
    except (SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except ObjectsFullError as error:
        raise click.ClickException(f"{error}. Then give the same command again.") from None
    except Exception as error:
        if not unavailable(error):
            raise
        raise click.ClickException(
            f"A server does not answer ({type(error).__name__}: {error}): give the same command again when it does."
        ) from None


def _document(plan: Plan) -> dict[str, object]:
    return {
        "from": str(plan.giver),
        "to": str(plan.taker),
        "goes": {name: [str(thing.id) for thing in things] for name, things in plan.things.items()},
        "gone_before": {name: [str(one) for one in ids] for name, ids in plan.gone.items()},
        "bytes": plan.size,
        "stays": dict(plan.stays),
        "conflicts": list(plan.conflicts),
        "left": list(plan.left),
    }


def _counts(plan: Plan) -> str:
    counts = {name: len(things) + len(plan.gone.get(name, ())) for name, things in plan.things.items()}
    return ", ".join(_counted(count, name) for name, count in counts.items()) or "nothing"


def _counted(count: int, name: str) -> str:
    return f"{count} {name.removesuffix('s') if count == 1 else name}"


def _show(plan: Plan, ending: str) -> None:
    click.echo(f"From {plan.giver} to {plan.taker}: {_counts(plan)}, {plan.size} bytes.")
    stays = [_counted(count, name) for name, count in plan.stays.items()]
    click.echo(f"Stays: {', '.join([*stays, 'what was used'])}. {ending}")
    for conflict in plan.conflicts:
        click.echo(f"In the way: {conflict}.")


def _show_key(slug: str, done: Plan, key: str | None) -> None:
    if key is not None:
        click.echo(key)
    click.echo(f"{slug} ({done.taker}) has {_counts(done)} of {done.giver}.", err=True)
    if key is None:
        click.echo("A key of its owner works already: it was shown when it was made.", err=True)
    else:
        click.echo("That is the whole key of its owner, shown this once: hand it over now.", err=True)
    for one in done.left:
        click.echo(f"Stays: {one}.", err=True)
