"""A whole codegen run on a running platform: seconds, steps, CPU of all its processes, statements to the database.

The raw limit beside it is the verification: the project's own linter, types and tests, which somebody would have to run
in any case. What is left is ours. The first run starts the functions, the second finds them started. Statements are
those that pg_stat_statements counts at the top level (BEGIN and COMMIT as well), so at least as many as round trips;
what the platform sends when nothing runs is measured before, and taken off.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from knative.platform import processes
from knative.platform.home import Home
from tests.performance.benchmark import Benchmark
from tests.performance.processor import below, of_processes_and_ended
from tests.performance.results import Figure
from tests.platform_fixture import RunningPlatform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.benchmark import Conditions

REQUEST: Final = (
    "An API for a lending library: members have a unique email and a name, books have an ISBN that is unique, a title "
    "and a number of copies. A member can borrow at most 3 books at a time, and a loan is due after 14 days."
)
SHARDS: Final = 3
_IDLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What a platform has used so far.

    Attributes:
        seconds: The clock.
        cpu: Seconds of CPU of all its processes, those that ended as well.
        statements: Top-level statements on all shards.
        commits: Transactions on all shards.
        wal: Bytes of write-ahead log on all shards.
    """

    seconds: float
    cpu: float
    statements: float
    commits: float
    wal: float

    def since(self, before: Counters) -> Counters:
        """What was used since then."""
        return Counters(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))

    def without(self, idle: Counters) -> Counters:
        """What remains without that which an idle platform uses in the same time."""
        share = self.seconds / idle.seconds
        return Counters(
            self.seconds, *(getattr(self, name) - share * getattr(idle, name) for name in self.__slots__[1:])
        )


class _Watched:
    """A platform whose use of CPU and databases is counted."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform

    def up(self) -> None:
        """Start it, with statements counted."""
        self.platform.up()
        asyncio.run(self._on_each("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"))
        self.platform.down()
        self.platform.up()
        asyncio.run(self._on_each("CREATE EXTENSION pg_stat_statements"))

    async def _on_each(self, statement: str) -> list[asyncpg.Record]:
        found = []
        for number in range(SHARDS):
            connection = await asyncpg.connect(
                host=str(self.platform.run), port=5432 + number, user="postgres", database="hal9"
            )
            try:
                found += await connection.fetch(statement)
            finally:
                await connection.close()
        return found

    def count(self) -> Counters:
        """Read all counters."""
        rows = asyncio.run(
            self._on_each(
                "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE toplevel)::float8 AS statements,"
                " (SELECT sum(xact_commit) FROM pg_stat_database)::float8 AS commits,"
                " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal"
            )
        )
        marked = {identity.pid for identity in processes.marked(Home.at(self.platform.home).mark)}
        all_of_it = {pid for one in marked for pid in below(one)}
        return Counters(
            time.monotonic(),
            of_processes_and_ended(all_of_it),
            *(sum(row[name] for row in rows) for name in ("statements", "commits", "wal")),
        )

    def run(self, out: Path) -> tuple[Counters, dict[str, Any], dict[str, Any]]:
        """Generate one project; give what it used, the project, and its run with the tree of steps."""
        before = self.count()
        done = self.platform.hal9("codegen", REQUEST, "--lang", "python", "--out", str(out), "--json", timeout=300)
        used = self.count().since(before)
        project = json.loads(done.stdout)
        run = json.loads(self.platform.hal9("runs", "show", project["run_id"], "--json").stdout)
        return used, project, run


def measure(conditions: Conditions) -> list[Figure]:
    """Figures of a first run and of one on started functions."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        watched = _Watched(RunningPlatform(Path(name) / "home"))
        try:
            conditions.say("starting a platform")
            watched.up()
            conditions.say("idle")
            idle = _idle(watched, 2.0 if conditions.quick else _IDLE_SECONDS)
            conditions.say("first run")
            first, project, _ = watched.run(Path(name) / "first")
            conditions.say("second run")
            second, project, run = watched.run(Path(name) / "second")
        finally:
            watched.platform.hal9("down", check=False)
    return _figures(first, second.without(idle), idle, project, run)


def _idle(watched: _Watched, seconds: float) -> Counters:
    before = watched.count()
    time.sleep(seconds)
    return watched.count().since(before)


def _figures(
    first: Counters, used: Counters, idle: Counters, project: dict[str, Any], run: dict[str, Any]
) -> list[Figure]:
    steps: Sequence[dict[str, Any]] = run["tree"]
    verification = sum(check["seconds"] for check in project["result"]["checks"])
    verifying = sum(_seconds(step) for step in steps if step["executor"] == "codegen")
    count = run["steps"]
    return [
        Figure("first run, functions not started", first.seconds, "s"),
        Figure("run", used.seconds, "s"),
        Figure("of that the project's own checks (the raw limit)", verification, "s"),
        Figure("against its own checks", used.seconds / verification, "x"),
        Figure("of that the verification step, with its way there and back", verifying, "s"),
        Figure("all else", used.seconds - verifying, "s"),
        Figure("steps", count, ""),
        Figure("CPU of all processes of the platform", used.cpu, "s"),
        Figure("statements on the shards", used.statements, ""),
        Figure("statements for each step", used.statements / count, ""),
        Figure("transactions on the shards", used.commits, ""),
        Figure("write-ahead log", used.wal / 1024, "KiB"),
        Figure("idle platform: CPU", idle.cpu / idle.seconds * 100, "%"),
        Figure("idle platform: statements", idle.statements / idle.seconds, "/s"),
    ]


def _seconds(step: dict[str, Any]) -> float:
    begun, ended = (dt.datetime.fromisoformat(step[name]) for name in ("created_at", "finished_at"))
    return (ended - begun).total_seconds()


BENCHMARK = Benchmark("codegen", "a whole run: English in, a project with passing tests out", measure)
