"""`python -m knative.images.entry.migrations [--organisation SLUG …]`: the Job that runs before a roll-out.

Brings every shard of HAL9_SHARDS_ADMIN up to date, then makes the named organisations in HAL9_REGION. An owner's key is
taken from the file HAL9_OWNER_KEYS/<slug> (a mounted Secret) when there is one and it is not known yet: it is never
made here, for it would have to be printed. Every step may be repeated. Exit code 1 when a shard does not answer or a
migration is refused, 2 when the command line or a setting is wrong; the reason is one sentence on standard error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared import apikeys
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import MigrationError, migrate
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import SettingsError, load
from shared.shards import Shards
from shared.shards.organisations import SLUG, organisation_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_USAGE: Final = "usage: python -m knative.images.entry.migrations [--organisation SLUG]…"
_OWNER: Final = ("owner",)


class UsageError(Exception):
    """The command line, or a setting, is wrong."""


def organisations(arguments: Sequence[str]) -> list[str]:
    """Read the command line: the slugs of the organisations.

    Raises:
        UsageError: It is none.
    """
    left, found = list(arguments), list[str]()
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name != "--organisation" or not (equals or left):
            raise UsageError(_USAGE)
        slug = value if equals else left.pop(0)
        if not SLUG.fullmatch(slug):
            raise UsageError(f"{slug!r} is no organisation's slug\n{_USAGE}")
        found.append(slug)
    return found


def _admin() -> list[str]:
    found = [dsn.strip() for dsn in os.environ.get("HAL9_SHARDS_ADMIN", "").split(",") if dsn.strip()]
    if not found:
        raise UsageError("set HAL9_SHARDS_ADMIN to the shards' addresses for the role hal9_owner")
    return found


async def run(admin: Sequence[str], slugs: Sequence[str], region: str, keys: Mapping[str, apikeys.NewKey]) -> None:
    """Migrate, then make organisations.

    Args:
        admin: addresses of the shards for the role that owns the tables, in shard order.
        slugs: of the organisations.
        region: that their data stays in.
        keys: owners' keys by slug.

    Raises:
        MigrationError: The schema cannot be brought up to date.
        Problem: A shard does not answer.
    """
    for applied in await migrate(admin):
        _say(f"shard {applied.shard}: {applied.migration} ({applied.milliseconds} ms)")
    _say("every shard is up to date")
    settings = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(admin)})
    shards = Shards.open(settings, application_name="hal9-migrations")
    try:
        for slug in slugs:
            await shards.create_organisation(organisation_id(slug), region, slug=slug)
            _say(f"organisation {slug}: {await _give_key(shards, slug, keys.get(slug))}")
    finally:
        await shards.close()


def owner_keys(folder: Path | None, slugs: Sequence[str]) -> dict[str, apikeys.NewKey]:
    """Read the owners' keys of a folder, a file for each slug.

    Raises:
        UsageError: A file holds no key.
    """
    found = {}
    for slug in slugs if folder else ():
        file = Path(folder or "", slug)
        if file.exists():
            new = apikeys.made_before(file.read_text(encoding="utf-8").strip())
            if new is None:
                raise UsageError(f"{file} holds no API key of HAL9")
            found[slug] = new
    return found


async def _give_key(shards: Shards, slug: str, new: apikeys.NewKey | None) -> str:
    """Make a key an owner's; say what was done."""
    if new is None:
        return "no key was given"
    if await apikeys.find(shards.directory, new.prefix) is not None:
        return "its owner's key is known"
    now = SystemClock().now()
    org_id = organisation_id(slug)
    await apikeys.create(shards.directory, org_id, new_id(), new, name=slug, roles=_OWNER, created_at=now)
    return "its owner's key was taken"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Run; give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # process 1 has no default
    try:
        slugs = organisations(arguments)
        folder = os.environ.get("HAL9_OWNER_KEYS")
        keys = owner_keys(Path(folder) if folder else None, slugs)
        asyncio.run(run(_admin(), slugs, os.environ.get("HAL9_REGION") or "us-west", keys))
    except (UsageError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (MigrationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Problem as problem:
        sys.stderr.write(f"{problem.detail} Check HAL9_SHARDS_ADMIN.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
