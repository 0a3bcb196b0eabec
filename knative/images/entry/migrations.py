"""`python -m knative.images.entry.migrations`: the Job that runs before a roll-out.

Brings every shard of HAL9_SHARDS_ADMIN up to date. With `--organisation SLUG --region REGION --owner-key PREFIX:HASH`
it then makes that organisation, whose owner's key was made elsewhere: only its prefix and its hash (base64url) come
here. Every step may be repeated.

Exit codes: 1 a shard does not answer, or a migration is refused; 2 the command line or a setting is wrong; 3 a key of
the organisation's owner works already, so that this one was not taken. The reason is one sentence on standard error.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared import apikeys
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import MigrationError, migrate
from shared.keys import base64url
from shared.problems import Problem
from shared.settings import SettingsError, load
from shared.shards import Shards
from shared.shards.organisations import SLUG, establish_with

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE: Final = (
    "usage: python -m knative.images.entry.migrations [--organisation SLUG --region REGION --owner-key PREFIX:HASH]"
)
_OPTIONS: Final = ("--organisation", "--region", "--owner-key")
_KEY: Final = re.compile(r"([a-z2-7]{12}):([A-Za-z0-9_-]{43})")
_WRONG: Final = 2
_WORKS_ALREADY: Final = 3


class UsageError(Exception):
    """The command line, or a setting, is wrong."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An organisation that is to be made, and its owner's key, of which the text is not known here."""

    slug: str
    region: str
    key: apikeys.NewKey


def wanted(arguments: Sequence[str]) -> Wanted | None:
    """Read the command line: which organisation is to be made, None for none.

    Raises:
        UsageError: It is wrong; names every fault.
    """
    left, given = list(arguments), dict[str, str]()
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name not in _OPTIONS or not (equals or left):
            raise UsageError(_USAGE)
        given[name] = value if equals else left.pop(0)
    if not given:
        return None
    slug, region, key = (given.get(name, "") for name in _OPTIONS)
    match = _KEY.fullmatch(key)
    faults = [f"--organisation {slug!r} is no slug"] if not SLUG.fullmatch(slug) else []
    faults += [f"--region {region!r} is no region's name"] if not SLUG.fullmatch(region) else []
    if match is None:
        raise UsageError("\n".join([*faults, "--owner-key must be PREFIX:HASH", _USAGE]))
    if faults:
        raise UsageError("\n".join([*faults, _USAGE]))
    return Wanted(slug, region, apikeys.NewKey("", match[1], base64url.decode(match[2])))


async def run(admin: Sequence[str], organisation: Wanted | None) -> int:
    """Migrate, then make the organisation; give the exit code.

    Args:
        admin: addresses of the shards for the role that owns the tables, in shard order.
        organisation: what is to be made.

    Raises:
        MigrationError: The schema cannot be brought up to date.
        Problem: A shard does not answer.
    """
    for applied in await migrate(admin):
        _say(f"shard {applied.shard}: {applied.migration} ({applied.milliseconds} ms)")
    _say("every shard is up to date")
    if organisation is None:
        return 0
    settings = load(DatabaseSettings, {"HAL9_SHARDS": ",".join(admin)})
    shards = Shards.open(settings, application_name="hal9-migrations")
    try:
        taken = await establish_with(shards, organisation.slug, organisation.region, SystemClock(), organisation.key)
    finally:
        await shards.close()
    if not taken:
        sys.stderr.write(f"a key of the owner of {organisation.slug} works already: this one was not taken\n")
        return _WORKS_ALREADY
    _say(f"the organisation {organisation.slug} is there, with its owner's key {organisation.key.prefix}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _admin() -> list[str]:
    found = [dsn.strip() for dsn in os.environ.get("HAL9_SHARDS_ADMIN", "").split(",") if dsn.strip()]
    if not found:
        raise UsageError("set HAL9_SHARDS_ADMIN to the shards' addresses for the role hal9_owner")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run; give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # process 1 has no default
    try:
        return asyncio.run(run(_admin(), wanted(arguments)))
    except (UsageError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    except (MigrationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Problem as problem:
        sys.stderr.write(f"{problem.detail} Check HAL9_SHARDS_ADMIN.\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
