"""`hal9 backup`: make, list, verify and restore backups of all shards, and archive their WAL."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import asyncpg
import click

from knative.cli import tables
from knative.cli.organisationnames import organisation
from knative.platform.backups import Backups
from knative.platform.home import Home
from shared.backup import BackupError, choose, create
from shared.clock import SystemClock
from shared.datakeys import KeysUnavailableError
from shared.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from knative.platform.organisationrestore import Restored
    from shared.backup.evidence import Evidence
    from shared.backup.repository import Listed, Repository
    from shared.backup.restoring import Target

T = TypeVar("T")
_MEGABYTE: Final = 2**20
_LATEST: Final = "latest"

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("backup")
def command() -> None:
    """Make, list, verify and restore backups: every shard and the directory, to any moment.

    Backups and archived WAL lie sealed where HAL9_BACKUPS says (`backups` in HAL9_HOME, when it is not set), under keys
    that the master keys of HAL9_DATA_KEYS wrap: keep those elsewhere, as nothing can be restored without them. Works on
    HAL9_SHARDS_ADMIN and HAL9_BACKUP_SHARDS, else on the local platform that runs.

    \b
      hal9 backup create
      hal9 backup list
      hal9 backup verify
      hal9 backup restore --at 2026-03-01T12:00:00Z --into /var/lib/hal9-restored
    """


@command.command("create")
@click.option(
    "--full/--incremental",
    "full",
    default=None,
    help="Copy everything, or only what changed since the last one; left out, what HAL9_BACKUP_CHAIN allows.",
)
@click.option("--prune/--no-prune", default=True, help="Afterwards delete what is older than HAL9_BACKUP_KEEP_DAYS.")
@_JSON
def create_backup(*, full: bool | None, prune: bool, as_json: bool) -> None:
    """Make a backup while everything goes on working.

    It is listed when all of it is in the store: one that is cut off is not there. With the first one the local platform
    begins to archive its WAL all the time; for other servers run `hal9 backup archive`.
    """
    source = _source()

    async def work() -> dict[str, Any]:
        places = source.places()
        incremental = None if full is None else not full
        made = await create(places, _tell, incremental=incremental, chain=source.settings.chain)
        try:
            pruned = await _pruned(source, places.repository) if prune else None
        except BackupError as error:
            raise BackupError(f"{made.id} is made and listed, but what is old could not be deleted: {error}") from error
        return {
            "backup": str(made.id), "kind": made.kind, "parent": _text(made.parent),
            "point_at": made.point_at.isoformat(), "stored_bytes": made.stored, "plain_bytes": made.plain,
            "pruned": pruned,
        }  # fmt: skip

    told = _run(work)
    if as_json:
        click.echo(json.dumps(told))
        return
    size, copied = told["stored_bytes"] / _MEGABYTE, told["plain_bytes"] / _MEGABYTE
    click.echo(f"{told['backup']} is made: {told['kind']}, {copied:.1f} MB, {size:.1f} MB in the store.")
    click.echo(f"It can be restored to {told['point_at']} and, as far as the WAL is archived, to every later moment.")


async def _pruned(source: Backups, repository: Repository) -> dict[str, Any]:
    from shared.backup.retention import prune

    done = await prune(repository, timedelta(days=source.settings.keep_days), datetime.now(UTC), _tell)
    return {"backups": [str(one) for one in (*done.backups, *done.unfinished)], "segments": done.segments}


@command.command("list")
@click.option("--tests", is_flag=True, help="The restore tests instead, with what was seen.")
@_JSON
def list_backups(*, tests: bool, as_json: bool) -> None:
    """List the backups, the oldest first, with what is wrong with those that are not good.

    Exit code 1 when one is not good; with --tests, when the last one failed.
    """
    source = _source()
    if tests:
        _list_tests(source, as_json=as_json)
        return

    async def work() -> list[dict[str, Any]]:
        repository = source.repository()
        return [await _described(repository, one) for one in await repository.backups()]

    found = _run(work)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _table(found)
    sys.exit(1 if any(one["fault"] for one in found) else 0)


def _list_tests(source: Backups, *, as_json: bool) -> None:
    from rich.table import Table

    from shared.backup import evidence

    found = _run(lambda: evidence.read(source.repository()))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], default=str, indent=2))
    else:
        headings = ("EVIDENCE", "BEGUN", "BACKUP", "RESTORED TO", "SECONDS", "ORGANISATIONS", "ROWS", "RESULT")
        table = Table(*headings, box=None, pad_edge=False)
        for one in found:
            result = "[green]passed[/]" if one.fault is None else f"[red]{_plain(one.fault)}[/]"
            table.add_row(
                str(one.id), _short(one.begun_at.isoformat()), str(one.backup), _short(one.moment.isoformat()),
                f"{one.seconds:.1f}", str(one.organisations), str(one.rows), result,
            )  # fmt: skip
        tables.console().print(table)
    sys.exit(1 if found and found[-1].fault is not None else 0)


async def _described(repository: Repository, one: Listed) -> dict[str, Any]:
    from shared.backup.restoring import latest

    backup = one.backup
    if backup is None:
        return {"backup": str(one.id), "fault": one.fault}
    until, fault = None, one.fault
    if fault is None:
        try:
            until = (await latest(repository, backup)).isoformat()
        except BackupError as error:
            fault = str(error)
    return {
        "backup": str(one.id), "fault": fault, "kind": backup.kind, "parent": _text(backup.parent),
        "from": backup.consistent_at.isoformat(), "point_at": backup.point_at.isoformat(),
        "until": until,
        "shards": len(backup.shards), "stored_bytes": backup.stored, "plain_bytes": backup.plain,
        "release": backup.release,
    }  # fmt: skip


def _table(found: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    if not found:
        click.echo("There is no backup yet: make one with `hal9 backup create`.")
        return
    table = Table("BACKUP", "KIND", "RESTORES FROM", "UNTIL", "SHARDS", "STORED", "STATE", box=None, pad_edge=False)
    for one in found:
        if "kind" not in one:
            table.add_row(one["backup"], "-", "-", "-", "-", "-", f"[red]{_plain(one['fault'])}[/]")
            continue
        state = "[green]good[/]" if one["fault"] is None else f"[red]{_plain(one['fault'])}[/]"
        stored = f"{one['stored_bytes'] / _MEGABYTE:.1f} MB"
        table.add_row(
            one["backup"], one["kind"], _short(one["from"]), _short(one["until"]), str(one["shards"]), stored, state
        )
    tables.console().print(table)


@command.command("verify")
@click.argument("backup_id", metavar="[BACKUP]", required=False)
@click.option("--restore", "really", is_flag=True, help="Restore everything aside, count it, and keep the evidence.")
@click.option(
    "--all", "everything", is_flag=True, help="Every backup in the store; left out, the newest and what it stands on."
)
@_JSON
def verify_backups(backup_id: str | None, *, really: bool, everything: bool, as_json: bool) -> None:
    """Read a backup as a restore would: hashes, keys, PostgreSQL's manifest, archived WAL without a gap.

    With --restore it is restored, to the last moment that can be had or to the named backup's point, in a temporary
    folder (TMPDIR): rows are counted and summed up, the directory is compared with the shards, and a record of it stays
    in the store (`hal9 backup list --tests`). The archiver does this every HAL9_BACKUP_TEST_HOURS.

    Exit code 1 when anything is not as it was made.
    """
    if everything and (really or backup_id is not None):
        raise click.UsageError("--all is for every backup: leave it out with --restore, or when you name one.")
    source = _source()
    if really:
        _test(source, backup_id, as_json=as_json)
        return

    async def work() -> list[dict[str, Any]]:
        from shared.backup.route import FOREVER
        from shared.backup.verification import verify

        repository = source.repository()
        listed = await repository.backups()
        asked = listed if everything else [one for one in listed if str(one.id) == backup_id or backup_id is None][-1:]
        if faults := [f"{one.id}: {one.fault}" for one in asked if one.fault is not None]:
            raise BackupError("\n".join(faults))
        if everything:
            chosen = [one.backup for one in listed if one.backup is not None]
        else:
            chosen = list((await choose(repository, backup_id or "latest", datetime.now(UTC))).chain)
        begins = [*(one.consistent_at for one in chosen[1:]), FOREVER]
        done = [await verify(repository, one, None, _tell, begin) for one, begin in zip(chosen, begins, strict=True)]
        return [{**dataclasses.asdict(one), "backup": str(one.backup), "until": one.until.isoformat()} for one in done]

    done = _run(work)
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    for one in done:
        size = one["stored"] / _MEGABYTE
        click.echo(f"{one['backup']} is good: {size:.1f} MB in the store and {one['segments']} WAL segments were read.")


def _test(source: Backups, backup_id: str | None, *, as_json: bool) -> None:
    async def work() -> Evidence:
        from knative.platform.restoretest import restore_test

        repository = source.repository()
        target = await choose(repository, backup_id or "latest", datetime.now(UTC))
        return await restore_test(repository, target, SystemClock(), _tell)

    made = _run(work)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(made), default=str, indent=2))
        return
    click.echo(
        f"{made.backup} was restored to {made.moment.isoformat()} in {made.seconds:.1f} s: {made.rows} rows of "
        f"{len(made.tables)} tables, {made.organisations} organisations where the directory says."
    )
    click.echo(f"The evidence is {made.id}: see `hal9 backup list --tests`.")


@command.command("restore")
@click.option(
    "--at",
    "moment",
    metavar="TIME",
    help="The moment, such as 2026-03-01T12:00:00Z; `latest`; or a backup's id, for the point that its shards share.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="The folder to make: another HAL9_HOME. It must not exist, or be empty. Left out, HAL9_HOME itself.",
)
@click.option(
    "--prepare", is_flag=True, help="Make data folders with recovery settings, for servers that are not ours."
)
@click.option("--org", "org_id", callback=organisation, help="Only this organisation, in place: its slug or id.")
@click.option("--undo", "export", type=click.UUID, help="Put back what an organisation had before --org, by that id.")
@_JSON
def restore(
    moment: str | None, into: Path | None, org_id: UUID | None, export: UUID | None, *, prepare: bool, as_json: bool
) -> None:
    """Bring every shard and the directory back to one moment, in a new folder; or one organisation, where it is.

    What was acknowledged before the moment is there, what began after it is not, on every shard. Nothing that is there
    already is ever overwritten. Start the new platform with HAL9_HOME set to the folder; with --prepare read
    INSTRUCTIONS.txt in it.

    With --org its rows of that moment take the place of today's, on its shard, in one transaction: its writers wait,
    other organisations notice nothing. What it had is exported first; --undo puts it back. Its keys and members in the
    directory, and what it used, stay as they are.
    """
    alone = org_id is not None or export is not None
    if (moment is None) is (export is None) or (alone and (prepare or into is not None)) or (org_id and export):
        raise click.UsageError("Give --at TIME with --into FOLDER or --org ORG, or --undo ID.")
    if alone:
        _restore_organisation(moment, org_id, export, as_json=as_json)
        return
    source = _source()
    wanted = _moment(str(moment))
    home = source.home if into is None else Home.at(into)
    if prepare and into is None:
        raise click.UsageError("--prepare needs --into FOLDER.")

    async def work() -> dict[str, Any]:
        from knative.platform import restoration
        from shared.backup.restoring import require_free

        require_free(home.path)
        repository = source.repository()
        target = await _reached(source, repository, wanted)
        if prepare:
            instructions = await restoration.prepare(repository, target, home.path, _tell)
        else:
            instructions = None
            await restoration.restore_home(repository, target, home, source.master_keys, _tell)
        return {
            "folder": str(home.path), "at": target.moment.isoformat(), "backup": str(target.backup.id),
            "shards": len(target.backup.shards), "instructions": _text(instructions),
        }  # fmt: skip

    told = _run(work)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(f"{told['shards']} shards are at {told['at']}, in {told['folder']}.")
    if told["instructions"]:
        click.echo(f"What to do with them is in {told['instructions']}.")
    else:
        click.echo(f"Start it with: HAL9_HOME={told['folder']} hal9 up")
        click.echo("Artefacts are not in it: set HAL9_OBJECTS to where they are, or copy the folder `objects`.")


def _restore_organisation(moment: str | None, org_id: UUID | None, export: UUID | None, *, as_json: bool) -> None:
    source = _source()
    wanted = None if moment is None else _moment(moment)

    async def work() -> Restored:
        from knative.platform.organisationrestore import restore_organisation, undo

        places = source.places()
        if wanted is None or org_id is None:
            return await undo(places, UUID(str(export)), _tell)
        target = await _reached(source, places.repository, wanted)
        return await restore_organisation(places, target, org_id, _tell)

    done = _run(work)
    if as_json:
        rows = {one.name: {"rows": one.count, "checksum": str(one.checksum)} for one in done.rows}
        click.echo(json.dumps({"shard": done.shard, "export": str(done.export), "tables": rows}))
        return
    now, before = (sum(one.count for one in rows) for rows in (done.rows, done.before))
    click.echo(f"The organisation has {now} rows on shard {done.shard}, instead of {before}.")
    click.echo(f"What it had can be put back: hal9 backup restore --undo {done.export}")


async def _reached(source: Backups, repository: Repository, wanted: datetime | str) -> Target:
    """Choose what to restore; where the archive does not reach so far, bring in what servers that answer still have."""
    from shared.backup.archive import catch_up
    from shared.backup.restoring import require_reach

    target = await choose(repository, wanted, datetime.now(UTC))
    try:
        require_reach(target)
    except BackupError:
        if not source.reachable:
            raise
        _tell("archiving what the servers have")
        places = source.places()
        key = await repository.new_key()
        await asyncio.gather(
            *(
                catch_up(shard, repository, key, places.spool, places.clock, places.patience_seconds)
                for shard in places.shards
            )
        )
        target = await choose(repository, wanted, datetime.now(UTC))
        require_reach(target)
    return target


@command.command("archive")
def archive() -> None:
    """Archive the shards' WAL until Ctrl-C or SIGTERM, and make backups and restore tests by the clock.

    The local platform does this by itself after its first backup. For servers of your own keep this command running,
    once: as a systemd unit, or a Deployment of one replica with a volume for its spool (HAL9_HOME).
    """
    from knative.platform.archiver import run
    from shared.telemetry import configure_logs

    source = _source()
    configure_logs(function="archiver")
    _run(lambda: run(source.places(), source.settings, source.home))


def _source() -> Backups:
    try:
        return Backups()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _moment(text: str) -> datetime | str:
    if text == _LATEST or _is_id(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no moment such as 2026-03-01T12:00:00Z, no backup's id, and not `{_LATEST}`."
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text} does not say in which time zone: add Z, or an offset such as +01:00.")
    return utc


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return asyncio.run(work())
    except (BackupError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise click.ClickException(f"It was cut off ({type(error).__name__}: {error}): try again.") from None
    except KeysUnavailableError as error:
        raise click.ClickException(f"{error.title}: check HAL9_DATA_KEYS and HAL9_REGION.") from None


def _tell(text: str) -> None:
    click.echo(f"  {text} …", err=True)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _short(moment: str | None) -> str:
    return "-" if moment is None else datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S Z")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
