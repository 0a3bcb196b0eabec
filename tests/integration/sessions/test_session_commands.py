"""`hal9 sessions`, as it is typed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from shared.identifiers import new_id
from shared.sessions import COOKIE
from tests.sessions_fixture import EAST, WEST, Regions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]

CHECKOUT = Path(__file__).parents[3]


class Shell:
    """Types commands, for two regions of which one may be away."""

    def __init__(self, servers: Servers, addresses: dict[str, str], masters: Path) -> None:
        self.environ = {
            "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn,
            "HAL9_CACHE_URL": addresses[WEST],
            "HAL9_SESSION_REGIONS": f"{EAST}={addresses[EAST]}",
            "HAL9_DATA_KEYS": f"file://{masters}",
        }

    async def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "knative.cli.main", "sessions", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, **self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def shell(servers: Servers, west_and_east: dict[str, str], tmp_path: Path) -> Shell:
    return Shell(servers, west_and_east, tmp_path / "masters")


async def test_who_signs_in_takes_a_seat_and_one_too_many_is_refused(someone: Someone, shell: Shell) -> None:
    (org_id, user_id), limits = await someone(), '{"professional": {"seats": 1}}'
    begin = ("begin", "--organisation", str(org_id), "--role", "viewer", "--user")
    assert [(await shell(*begin, str(user_id), HAL9_TIERS=limits)).returncode for _ in range(2)] == [0, 0]
    refused = await shell(*begin, str(new_id()), HAL9_TIERS=limits)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "allows 1 of the meter seats" in refused.stderr


async def test_sessions_are_listed_and_revoked(regions: Regions, someone: Someone, shell: Shell) -> None:
    # The commands go by the caches' own time.
    who = await someone()
    whose = ("--organisation", str(who[0]), "--user", str(who[1]))
    regions.clock.advance(10**8)
    west = await regions.process().create(*who, {"owner"}, device="Firefox", address="203.0.113.7")
    east = await regions.process(EAST).create(*who, (), device="Phone")
    listed = json.loads((await shell("list", *whose, "--json")).stdout)
    assert {one["session"]: (one["region"], one["device"]) for one in listed} == {
        str(west.session.ref): (WEST, "Firefox"),
        str(east.session.ref): (EAST, "Phone"),
    }
    table = await shell("list", *whose)
    assert table.returncode == 0
    assert f"{west.session.ref}  us-west  Firefox  203.0.113.7" in table.stdout
    one = await shell("revoke", *whose, "--session", str(west.session.ref), "--json")
    assert json.loads(one.stdout)["revoked"]["session"] == str(west.session.ref)
    assert await regions.process().read(west.cookie) is None
    again = await shell("revoke", *whose, "--session", str(west.session.ref))
    assert (again.returncode, "has no session" in again.stderr) == (1, True)
    assert (await shell("revoke", *whose)).stdout == "All sessions of the user are revoked.\n"
    assert await regions.process(EAST).read(east.cookie) is None
    assert json.loads((await shell("list", *whose, "--json")).stdout) == []


async def test_what_a_device_calls_itself_is_shown_and_not_obeyed(
    regions: Regions, someone: Someone, shell: Shell
) -> None:
    who = await someone()
    regions.clock.advance(10**8)
    await regions.process().create(*who, (), device="a[/]b [red]c\x1b[2J\nd", address="[/]")
    table = await shell("list", "--organisation", str(who[0]), "--user", str(who[1]))
    assert table.returncode == 0, table.stderr
    assert "a[/]b [red]c\ufffd[2J\ufffdd  [/]" in table.stdout


async def test_a_session_begins_by_hand_with_the_roles_of_customers(
    regions: Regions, someone: Someone, shell: Shell
) -> None:
    who = await someone()
    whose = ("--organisation", str(who[0]), "--user", str(who[1]))
    begun = await shell("begin", *whose, "--role", "developer", "--role", "viewer", "--device", "Firefox")
    name, _, cookie = begun.stdout.strip().partition("=")
    assert name == COOKIE
    session = await regions.process().read(cookie)
    assert session is not None
    assert (session.org_id, session.user_id) == who
    assert (set(session.privileges), session.device) == ({"developer", "viewer"}, "Firefox")
    for role in ("operator", "person"):
        assert (await shell("begin", *whose, "--role", role)).returncode == 2
    nobody = await shell("begin", "--organisation", str(new_id()), "--user", str(who[1]), "--role", "viewer")
    assert (nobody.returncode, "There is no such organisation" in nobody.stderr) == (1, True)


async def test_an_organisation_s_key_is_rotated_pruned_and_shredded(
    servers: Servers, regions: Regions, someone: Someone, shell: Shell
) -> None:
    who = await someone()
    whose = ("--organisation", str(who[0]))
    before = await regions.process().create(*who, ())
    made = json.loads((await shell("rotate-key", *whose, "--json")).stdout)
    assert (made["region"], (await regions.keys().current(who[0], WEST)).key_id.hex) == (
        WEST,
        made["key"].replace("-", ""),
    )
    assert await regions.process().read(before.cookie) == before.session
    assert json.loads((await shell("prune-keys", *whose, "--json")).stdout) == {"pruned": 0}
    refused = await shell("shred", *whose)
    assert (refused.returncode, await regions.process().read(before.cookie)) == (2, before.session)
    after = await regions.process().create(*who, ())
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    for days in (31, 32):  # the longest session, and a day more
        await connection.execute(
            "UPDATE directory.data_keys SET superseded_at = now() - $2 * interval '1 day'"
            " WHERE org_id = $1 AND superseded_at IS NOT NULL",
            who[0], days,
        )  # fmt: skip
        pruned = await shell("prune-keys", *whose, "--json")
        assert json.loads(pruned.stdout) == {"pruned": days - 31}
    await connection.close()
    assert json.loads((await shell("shred", *whose, "--yes", "--json")).stdout) == {"shredded": 1}
    assert await regions.process().read(after.cookie) is None
    assert await regions.process().read(before.cookie) is None


async def test_a_region_that_is_away_is_named(regions: Regions, someone: Someone, shell: Shell) -> None:
    org_id, _ = await someone()
    done = await shell("revoke", "--organisation", str(org_id), "--all", HAL9_SESSION_REGIONS="mars=unix:///nowhere")
    assert done.returncode == 1
    assert "No answer from mars" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("--all", "--user", str(new_id())), ("--session", str(new_id())), ("--all", "--organisation", "No Slug")],
)
async def test_a_revocation_that_does_not_say_of_what_is_wrong_usage(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert (await shell("revoke", "--organisation", "acme", *arguments)).returncode == 2


async def test_who_mistypes_an_organisation_does_not_read_that_its_sessions_are_ended(shell: Shell) -> None:
    of_nobody = ("--organisation", "acmee")
    user = ("--user", str(new_id()))
    for arguments in (
        ("revoke", *of_nobody, "--all"),
        ("revoke", *of_nobody, *user),
        ("list", *of_nobody, *user),
        ("shred", *of_nobody, "--yes"),
        ("prune-keys", *of_nobody),
        ("rotate-key", *of_nobody),
    ):
        done = await shell(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "There is no such organisation" in done.stderr


async def test_a_region_that_nobody_has_gets_no_key(regions: Regions, someone: Someone, shell: Shell) -> None:
    org_id, _ = await someone()
    done = await shell("rotate-key", "--organisation", str(org_id), "--region", "us-wset")
    assert (done.returncode, f"{EAST}, {WEST}" in done.stderr) == (2, True)
    made = await shell("rotate-key", "--organisation", str(org_id), "--region", EAST, "--json")
    assert json.loads(made.stdout)["key"] == str((await regions.keys().current(org_id, EAST)).key_id)


async def test_revocations_do_not_wait_for_the_directory_and_say_when_it_does_not_have_them(
    someone: Someone, shell: Shell
) -> None:
    who = await someone()
    whose = ("--organisation", str(who[0]), "--user", str(who[1]))
    assert (await shell("begin", *whose, "--role", "viewer")).returncode == 0
    assert len(json.loads((await shell("list", *whose, "--json")).stdout)) == 1
    away = "postgresql://hal9_owner@/hal9?host=/nowhere"
    done = await shell("revoke", *whose, HAL9_SHARDS_ADMIN=away)
    assert (done.returncode, "have ended, but that is not kept" in done.stderr) == (1, True)
    assert json.loads((await shell("list", *whose, "--json")).stdout) == []
    assert (await shell("revoke", *whose)).returncode == 0
