"""What every way of running benchmarks has: the arguments, progress, a result for each, the exit code."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.performance.peers import ROOT
from tests.performance.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.performance.results import Figure

FOLDER: Final = ROOT / "build" / "bench"


def arguments(program: str, description: str, known: Sequence[str], given: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; `known` are the benchmarks' names."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that all runs, not how fast it is")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON instead of the table")
    parser.add_argument("--check", action="store_true", help="a missed goal is exit code 1")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the JSON files")
    return parser.parse_args(given)


def say(line: str) -> None:
    """Tell the progress."""
    sys.stderr.write(f"  {line}\n")


def measured(name: str, title: str, measure: Callable[[], Sequence[Figure]]) -> Result:
    """Run one benchmark; one that fails has a result that says why."""
    begun = time.monotonic()
    try:
        figures = measure()
    except Exception as error:  # noqa: BLE001 - the others run even so, and the exit code tells
        reason = f"{type(error).__name__}: {error}"
        say(f"failed: {reason}")
        return Result(name, title, (), time.monotonic() - begun, reason[:2000])
    return Result(name, title, figures, time.monotonic() - begun)


def exit_code(document: dict[str, Any], *, check: bool) -> int:
    """Give the exit code for a summary."""
    return 1 if document["failed"] or (check and document["goals"]["missed"]) else 0
