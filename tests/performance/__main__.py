"""`make bench`: run the benchmarks, print a table, write JSON under build/bench.

    python -m tests.performance [--only NAME]... [--quick] [--json] [--check]

Every figure is a ratio to a named peer or a raw limit measured in the same run, or has one beside it. Progress goes to
standard error. Exit codes: 0 all ran; 1 one could not run, or with --check a goal was missed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.performance.benchmark import Conditions
from tests.performance.machine import facts
from tests.performance.peers import ROOT, Peers
from tests.performance.results import Result, summary, table, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.benchmark import Benchmark

MODULES: Final = (
    "slot_lookup",
    "codec_events",
    "cesql_expressions",
    "host_requests",
    "cold_start",
    "durable_step",
    "codegen_run",
)
FOLDER: Final = ROOT / "build" / "bench"


def benchmarks() -> list[Benchmark]:
    """Give all benchmarks, in the order in which they run."""
    return [importlib.import_module(f"tests.performance.{module}").BENCHMARK for module in MODULES]


def _arguments(known: Sequence[str], given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.performance", description="Measure against named peers.")
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that all runs, not how fast it is")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON instead of the table")
    parser.add_argument("--check", action="store_true", help="a missed goal is exit code 1")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the JSON files")
    return parser.parse_args(given)


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")


def _run(benchmark: Benchmark, conditions: Conditions) -> Result:
    sys.stderr.write(f"{benchmark.name}: {benchmark.title}\n")
    begun = time.monotonic()
    try:
        figures = benchmark.measure(conditions)
    except Exception as error:  # noqa: BLE001 - the others run even so, and the exit code tells
        reason = f"{type(error).__name__}: {error}"
        _say(f"failed: {reason}")
        return Result(benchmark.name, benchmark.title, (), time.monotonic() - begun, reason[:2000])
    return Result(benchmark.name, benchmark.title, figures, time.monotonic() - begun)


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; give the exit code."""
    found = {benchmark.name: benchmark for benchmark in benchmarks()}
    arguments = _arguments(list(found), given)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    peers = Peers(FOLDER / "peers", _say)
    conditions = Conditions(peers, _say, quick=arguments.quick)
    machine = facts()
    results = [_run(found[name], conditions) for name in found if name in (arguments.only or found)]
    document = summary(results, machine, peers.versions(), quick=arguments.quick)
    write(arguments.out, results, document)
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if arguments.json else table(results) + "\n")
    return exit_code(document, check=arguments.check)


def exit_code(document: dict[str, Any], *, check: bool) -> int:
    """Give the exit code for a summary."""
    return 1 if document["failed"] or (check and document["goals"]["missed"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
