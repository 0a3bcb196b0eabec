"""The embedded servers: starting, stopping, dying, and what stands in the way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from knative.platform.servers import Postgres, ServerError, Servers, Valkey
from knative.platform.servers.children import NOBODY, Identity, _become_nobody, _works, orphans, unprivileged
from knative.platform.servers.postgres import least_sizes
from shared.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).parents[3]

STARTER = """
import asyncio, json, os, signal, sys
from pathlib import Path
from knative.platform.servers import Servers

async def main(home):
    servers = Servers(home / "servers", home / "run", shards=1, durable=False)
    await servers.start()
    print(json.dumps([server.process.pid for server in servers.all]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        yield Path(folder)


def postgres(home: Path) -> Postgres:
    """A server; without fsync, which only a power cut would show."""
    return Postgres(home / "data", home / "run", 0, home / "log", durable=False)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def ask(server: Postgres, role: str = "hal9_app") -> str:
    connection = await asyncpg.connect(server.dsn(role))
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


async def test_they_start_again_over_their_own_data(home: Path) -> None:
    for _ in range(2):
        servers = Servers(home / "servers", home / "run", shards=2, durable=False)
        await servers.start()
        assert servers.dead() == []
        for server in servers.postgres:
            assert await ask(server) == "hal9_app"
            assert await ask(server, "hal9_owner") == "hal9_owner"
        cache = Cache(servers.cache_url)
        await cache.ping()
        await cache.close()
        pids = [server.process.pid for server in servers.all if server.process]
        await servers.stop()
        assert not any(runs(pid) for pid in pids)
    assert len(list((home / "servers").glob("postgres-?"))) == 2


@pytest.mark.parametrize("place", ["pg_wal", "hal9_wal"])
def test_the_least_sizes_of_wal_are_read_from_the_segments_that_are_there(tmp_path: Path, place: str) -> None:
    assert least_sizes(tmp_path) == {}
    (tmp_path / place).mkdir()
    for name, size in (("0" * 24, 4 << 20), ("0" * 24 + ".partial", 64 << 20)):
        (tmp_path / place / name).touch()
        os.truncate(tmp_path / place / name, size)
    assert least_sizes(tmp_path) == {}
    os.truncate(tmp_path / place / ("0" * 24), 32 << 20)
    assert least_sizes(tmp_path) == {"min_wal_size": "64MB", "max_wal_size": "512MB"}


async def test_one_starts_over_a_data_folder_of_another_server_whose_wal_has_larger_segments(home: Path) -> None:
    """What is restored of servers in a cluster, or of anybody's who did not ask for other ones, has 16 MB."""
    server = postgres(home)
    await server.start()
    await server.stop()
    await server.run_program("pg_resetwal", "--wal-segsize=16", "-D", str(server.folder))
    await server.start()
    try:
        connection = await asyncpg.connect(server.dsn("hal9_owner"))
        assert await connection.fetchval("SHOW wal_segment_size") == "16MB"
        assert await connection.fetchval("SHOW max_wal_size") == "256MB"
        await connection.close()
    finally:
        await server.stop()


async def test_they_listen_on_no_port_and_nobody_else_may_enter(home: Path) -> None:
    servers = Servers(home / "servers", home / "run", shards=1)
    await servers.start()
    try:
        assert (home / "run").stat().st_mode & 0o077 == 0
        connection = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
        rows = await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)",
            ["listen_addresses", "fsync", "synchronous_commit", "max_prepared_transactions", "full_page_writes"],
        )
        await connection.close()
        assert {row["name"]: row["setting"] for row in rows} == {
            "listen_addresses": "",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "max_prepared_transactions": "32",
        }
        cache = Cache(servers.cache_url)
        assert await cache.execute("CONFIG", "GET", "port") == [b"port", b"0"]
        await cache.close()
    finally:
        await servers.stop()


async def test_they_die_with_whoever_started_them_and_start_anew(home: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", STARTER, str(home)],
        env=environ,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pids = json.loads(done.stdout)
    assert len(pids) == 2
    await until(lambda: not any(runs(pid) for pid in pids))
    servers = Servers(home / "servers", home / "run", shards=1, durable=False)
    await servers.start()
    try:
        assert await ask(servers.postgres[0]) == "hal9_app"
    finally:
        await servers.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
async def test_a_killed_postgres_is_restarted(home: Path, number: signal.Signals) -> None:
    server = postgres(home)
    await server.start()
    try:
        assert server.process is not None
        server.process.send_signal(number)
        await until(lambda: not server.alive)
        await server.start()
        assert await ask(server) == "hal9_app"
    finally:
        await server.stop()
    assert orphans(server.folder) == []


async def test_what_an_earlier_parent_left_running_is_ended(home: Path) -> None:
    first = postgres(home)
    await first.start()
    assert first.process is not None
    # The lock goes, as it does when its holder is killed, but the server stays.
    first._lock.release()
    second = postgres(home)
    await second.start()
    try:
        await until(lambda: not first.alive)
        assert await ask(second) == "hal9_app"
    finally:
        await second.stop()


async def test_a_lock_file_of_a_process_that_is_somebody_else_by_now_is_put_aside(home: Path) -> None:
    server = postgres(home)
    await server.start()
    await server.stop()
    (server.folder / "postmaster.pid").write_text(
        f"{os.getpid()}\n{server.folder}\n1\n5432\n{home}/run\n\n\nready   \n"
    )
    await server.start()
    assert await ask(server) == "hal9_app"
    await server.stop()


def ways() -> list[Identity]:
    """Every way in which PostgreSQL can be run by this user on this machine."""
    if os.geteuid() != 0:
        return [unprivileged()]
    nobody = Identity(NOBODY, _become_nobody)
    return [unprivileged(), *([nobody] if _works(_become_nobody) else [])]


@pytest.mark.parametrize("way", ways(), ids=lambda way: way.enter.__name__.strip("_"))
async def test_it_runs_as_whoever_it_accepts_and_keeps_its_data(home: Path, way: Identity) -> None:
    for _ in range(2):
        server = postgres(home)
        server._identity = way
        await server.start()
        assert await ask(server) == "hal9_app"
        assert server.process is not None
        server.process.kill()
        await until(lambda server=server: not server.alive)  # type: ignore[misc]
        await server.stop()


async def test_a_folder_in_use_is_refused(home: Path) -> None:
    servers = Servers(home / "servers", home / "run", shards=1, durable=False)
    await servers.start()
    try:
        with pytest.raises(ServerError, match=rf"in use by the process {os.getpid()}.*hal9 down"):
            await Servers(home / "servers", home / "run", shards=1, durable=False).start()
        assert servers.dead() == []
        assert await ask(servers.postgres[0]) == "hal9_app"
    finally:
        await servers.stop()


async def test_a_data_folder_of_another_version_is_refused(home: Path) -> None:
    server = postgres(home)
    await server.start()
    await server.stop()
    (server.folder / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 15.*brings PostgreSQL 18.*mv "):
        await server.start()
    (server.folder / "PG_VERSION").write_text("18\n")
    await server.start()
    assert await ask(server) == "hal9_app"
    await server.stop()


async def test_a_shard_that_is_gone_does_not_come_back_empty(home: Path) -> None:
    servers = Servers(home / "servers", home / "run", shards=2, durable=False)
    await servers.start()
    await servers.stop()
    servers.postgres[1].folder.rename(home / "elsewhere")
    with pytest.raises(ServerError, match=r"postgres-1 is gone.*backup.*mv "):
        await servers.start()
    (home / "elsewhere").rename(servers.postgres[1].folder)
    await servers.start()
    await servers.stop()


async def test_a_first_start_that_was_cut_off_is_completed(home: Path) -> None:
    servers = Servers(home / "servers", home / "run", shards=2, durable=False)
    await servers.postgres[0].start()
    await servers.stop()
    (home / "servers" / "postgres-1.partial").mkdir()
    await servers.start()
    assert await ask(servers.postgres[1]) == "hal9_app"
    await servers.stop()


async def test_without_a_cache_folder_the_template_is_kept_with_the_data(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("no folder can be made in here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    servers = Servers(home / "servers", home / "run", shards=1, durable=False)
    await servers.start()
    assert await ask(servers.postgres[0]) == "hal9_app"
    await servers.stop()
    assert (home / "servers" / "template" / "PG_VERSION").exists()


async def test_a_full_disk_is_said(home: Path) -> None:
    server = postgres(home)
    await server.start()
    await server.stop()
    # A file system of 24 MB of its own, in name spaces of its own: the data folder fits, nothing more.
    script = (
        "import asyncio, shutil, subprocess, sys; from pathlib import Path;"
        "from knative.platform.servers import Postgres, ServerError\n"
        "disk = Path(sys.argv[1]); subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'x', disk], check=True)\n"
        "server = Postgres(disk / 'data', disk / 'run', 0, disk / 'log')\n"
        "try: asyncio.run(server.start())\n"
        "except ServerError as error: print(error)\n"
    )
    disk = home / "disk"
    disk.mkdir()
    done = await asyncio.to_thread(
        subprocess.run,
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", script, str(disk)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is full" in done.stdout
    assert "Free some space" in done.stdout


async def test_a_server_that_cannot_start_says_what_its_log_says(home: Path) -> None:
    server = postgres(home)
    await server.start()
    await server.stop()
    (server.folder / "global" / "pg_control").unlink()
    with pytest.raises(ServerError, match=r"did not start: .*(PANIC|FATAL|pg_control).*Its log is"):
        await server.start()
    assert not server.alive


async def test_valkey_is_restarted(home: Path) -> None:
    server = Valkey(home / "valkey", home / "run", home / "log")
    await server.start()
    cache = Cache(server.url)
    try:
        assert await cache.execute("SET", "a", 1) == "OK"
        assert server.process is not None
        server.process.kill()
        await until(lambda: not server.alive)
        await server.start()
        assert await cache.execute("GET", "a") is None
    finally:
        await cache.close()
        await server.stop()


async def test_several_make_the_template_at_once(home: Path) -> None:
    template = home / "cache" / "template"
    servers = [Servers(home / str(number), home / f"run-{number}", shards=1, template=template) for number in range(2)]
    await asyncio.gather(*(one.start() for one in servers))
    try:
        for one in servers:
            assert await ask(one.postgres[0]) == "hal9_app"
        assert [path.name for path in (home / "cache").iterdir()] == ["template"]
    finally:
        for one in servers:
            await one.stop()
