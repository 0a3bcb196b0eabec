"""`hal9 transactions`: transactions over several organisations that are prepared and not finished."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click

from knative.cli.servers import application_addresses
from shared.database import DatabaseSettings
from shared.problems import Problem
from shared.settings import load
from shared.shards import Shards
from shared.transactions import (
    IN_DOUBT_SECONDS,
    Gid,
    Prepared,
    Resolution,
    SilentShardsError,
    decide,
    prepared,
    recover,
    resolution,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from typing import Any

T = TypeVar("T")

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_LEFT: Final = ("undecided", "home-away", "home-unknown", "foreign", "failed")
_TOLD: Final = {
    "committed": "committed",
    "rolled-back": "rolled back",
    "gone": "finished by somebody else",
    "undecided": "left, as their homes are still at work",
    "home-away": "left, as their homes' shards do not answer",
    "home-unknown": "left, as the directory does not know their homes",
    "foreign": "left, as another role prepared them: only that one, or a superuser, can finish them",
    "failed": "left, as they could not be finished: see the log",
    "settled": "decisions noted as carried out",
    "unsettled": "decisions not noted as carried out, which the next sweep tries again",
    "forgotten": "old decisions forgotten",
}
_FOREIGN: Final = "only that one, or a superuser, can finish it: the sweep leaves it alone"
_MEANING: Final = {
    "commit": "its home has decided: it is to be committed",
    "abort": "its home has not decided, and is at work no more: it is to be rolled back",
    "undecided": "its home is still at work",
    "home-away": "its home's shard does not answer: nobody knows",
    "home-unknown": "the directory does not know its home: only you can decide",
}


class _Doubt(NamedTuple):
    """A prepared branch, and what its home says."""

    branch: Prepared
    verdict: str


class _Found(NamedTuple):
    """What is in doubt on the shards that answer, and which do not."""

    doubts: list[_Doubt]
    silent: list[int]


def _gid(context: click.Context, parameter: click.Parameter, value: str | None) -> Gid | None:
    del context, parameter
    try:
        return None if value is None else Gid.read(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}: take it from `hal9 transactions in-doubt`.") from None


@click.group("transactions")
def command() -> None:
    """Show and finish transactions over several organisations that were cut off, as the platform's operator.

    Reads HAL9_SHARDS (the application's role: only who prepared a branch may finish it), else the local platform that
    runs. `upkeep` finishes by itself, within seconds, whatever can be finished.
    """


@command.command("in-doubt")
@click.option(
    "--older-than", "seconds", type=click.FloatRange(min=0), default=IN_DOUBT_SECONDS, show_default=True,
    help="Exit code 1 when a branch has been prepared for more seconds.",
)  # fmt: skip
@_JSON
def in_doubt(seconds: float, *, as_json: bool) -> None:
    """List what is prepared on all shards, the oldest first, with what its home says of it. Changes nothing.

    Exit code 1 also when a shard does not answer: what is prepared there is not known.
    """
    found = _run(_asked)
    if as_json:
        told = {"prepared": [_document(one) for one in found.doubts], "silent_shards": found.silent}
        click.echo(json.dumps(told, indent=2))
    else:
        _list(found)
    sys.exit(1 if found.silent or any(one.branch.age_seconds > seconds for one in found.doubts) else 0)


@command.command("resolve")
@click.argument("gid", callback=_gid, required=False)
@click.option("--commit/--roll-back", "commit", default=None, help="With GID: what becomes of it.")
@click.option("--yes", is_flag=True, help="With GID: really, it cannot be taken back.")
@_JSON
def resolve(gid: Gid | None, commit: bool | None, *, yes: bool, as_json: bool) -> None:
    """Finish now, as upkeep does, whatever its home has decided or can decide no more.

    With GID, --commit or --roll-back, and --yes: finish this one as you say. It is refused where its home can be asked,
    as the other organisations follow that. Exit code 1 when something is left.

    \b
    Examples:
      hal9 transactions resolve
      hal9 transactions resolve hal9:0189…:0189…:0189… --roll-back --yes
    """
    silent: Sequence[int] = ()
    if gid is None:
        if commit is not None or yes:
            raise click.UsageError("Say which one: GID, as `hal9 transactions in-doubt` shows it.")
        done, silent = _run(_recovered)
    elif commit is None or not yes:
        raise click.UsageError("It cannot be taken back: give --commit or --roll-back, and --yes.")
    else:
        done = _run(lambda shards: _decided(shards, gid, commit=commit))
    _tell(done, silent, as_json=as_json)
    sys.exit(1 if silent or any(done[outcome] for outcome in _LEFT) else 0)


async def _recovered(shards: Shards) -> tuple[Counter[str], Sequence[int]]:
    try:
        return await recover(shards, older_than_seconds=0.0), ()
    except SilentShardsError as error:
        return error.done, error.shards


async def _asked(shards: Shards) -> _Found:
    numbers = range(len(shards))
    lists = await asyncio.gather(*(prepared(shards, number) for number in numbers), return_exceptions=True)
    branches: list[Prepared] = []
    silent = []
    for number, found in zip(numbers, lists, strict=True):
        if isinstance(found, Problem):
            silent.append(number)
        elif isinstance(found, BaseException):
            raise found
        else:
            branches += found
    branches.sort(key=lambda one: -one.age_seconds)
    return _Found([_Doubt(one, await _verdict(shards, one.gid)) for one in branches], silent)


async def _verdict(shards: Shards, gid: Gid) -> str:
    try:
        return (await resolution(shards, gid.home, gid.dtx_id)).value
    except Problem as problem:
        return "home-unknown" if problem.slug == "organisation-unknown" else "home-away"


async def _decided(shards: Shards, gid: Gid, *, commit: bool) -> Counter[str]:
    found = await _asked(shards)
    branch = next((one.branch for one in found.doubts if one.branch.gid == gid), None)
    if branch is None and found.silent:
        raise click.ClickException(f"{gid} is not prepared on any shard that answers. {_silence(found.silent)}")
    if branch is None:
        raise click.ClickException(f"{gid} is not prepared on any shard: somebody has finished it.")
    verdict = await _verdict(shards, gid)
    if not branch.ours:
        raise click.ClickException(f"Another role prepared it, and {_FOREIGN}. Of it, {_MEANING[verdict]}.")
    if verdict in set(Resolution):
        raise click.ClickException(
            f"Its home says {verdict} ({_MEANING[verdict]}): `hal9 transactions resolve` alone does what is right."
        )
    return Counter({await decide(shards, branch, commit=commit): 1})


def _run(work: Callable[[Shards], Coroutine[Any, Any, T]]) -> T:
    """Run, and say in a sentence what stands in the way."""

    async def run() -> T:
        async with _shards() as shards:
            return await work(shards)

    try:
        return asyncio.run(run())
    except Problem as problem:
        raise click.ClickException(f"{problem.detail} Start the platform, or check HAL9_SHARDS.") from None


@asynccontextmanager
async def _shards() -> AsyncIterator[Shards]:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(application_addresses())})
    shards = Shards.open(settings, application_name="hal9-transactions")
    try:
        yield shards
    finally:
        await shards.close()


def _document(one: _Doubt) -> dict[str, object]:
    gid = one.branch.gid
    return {
        "gid": str(gid), "shard": one.branch.shard, "home": str(gid.home), "organisation": str(gid.org_id),
        "transaction": str(gid.dtx_id), "age_seconds": one.branch.age_seconds, "ours": one.branch.ours,
        "verdict": one.verdict,
    }  # fmt: skip


def _list(found: _Found) -> None:
    for one in found.doubts:
        gid = one.branch.gid
        click.echo(f"{gid}\n  on shard {one.branch.shard} for {one.branch.age_seconds:.1f} s, of {gid.org_id}")
        by = ", by the next sweep" if one.branch.ours and one.verdict in {"commit", "abort"} else ""
        click.echo(f"  home {gid.home}: {_MEANING[one.verdict]}{by}")
        if not one.branch.ours:
            click.echo(f"  another role prepared it: {_FOREIGN}")
    if found.silent:
        click.echo(_silence(found.silent))
    elif not found.doubts:
        click.echo("Nothing is prepared.")


def _tell(done: Counter[str], silent: Sequence[int], *, as_json: bool) -> None:
    counts = {outcome: done[outcome] for outcome in _TOLD if done[outcome]}
    if as_json:
        click.echo(json.dumps({**counts, "silent_shards": list(silent)} if silent else counts))
        return
    for outcome, count in counts.items():
        click.echo(f"{count} {_TOLD[outcome]}")
    if silent:
        click.echo(_silence(silent))
    elif not counts:
        click.echo("Nothing was to be done.")


def _silence(shards: Sequence[int]) -> str:
    numbers = " and ".join(map(str, shards))
    return f"Shard {numbers} does not answer: what is prepared there is not known."
