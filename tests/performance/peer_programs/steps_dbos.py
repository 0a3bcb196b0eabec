"""DBOS: seconds of each step of a workflow whose steps do nothing."""

from __future__ import annotations

import itertools
import json
import logging
import sys
import time

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found]

from tests.performance.processor import of_tree


@DBOS.step()  # type: ignore[untyped-decorator]
def nothing(number: int) -> int:
    """Do nothing."""
    return number


@DBOS.workflow()  # type: ignore[untyped-decorator]
def chain(steps: int) -> list[float]:
    """Call the step so often; give when each began."""
    begun = []
    for number in range(steps + 1):
        begun.append(time.perf_counter())
        nothing(number)
    return begun


def main() -> None:
    """Run the workflow once to warm up, then once to measure."""
    asked = json.load(sys.stdin)
    logging.disable(logging.WARNING)
    dsn = "postgresql://{user}@/{database}?host={host}&port={port}".format(**asked)
    config: DBOSConfig = {"name": "bench", "system_database_url": dsn, "run_admin_server": False}
    DBOS(config=config)
    DBOS.launch()
    chain(asked["steps"])
    before = time.process_time() + of_tree(asked["postmaster"])
    begun = chain(asked["steps"])
    cpu = time.process_time() + of_tree(asked["postmaster"]) - before
    DBOS.destroy()
    seconds = [after - before for before, after in itertools.pairwise(begun)]
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_seconds": cpu / len(begun)}) + "\n")


if __name__ == "__main__":
    main()
