"""The peers' environment: installed when a benchmark first needs it, apart from ours, from requirements/bench.lock.

peers = Peers(folder, say)
peers.run("steps_langgraph", {"steps": 200, ...})       # a program of tests/performance/peer_programs
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements" / "bench.lock"
_NAMED: Final = (
    "cloudevents", "dbos", "functions-framework", "langgraph", "langgraph-checkpoint-postgres", "psycopg", "uvicorn",
)  # fmt: skip


class Peers:
    """The environment.

    Args:
        folder: Where it is, or will be.
        say: Takes a line of progress.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say

    @cached_property
    def python(self) -> Path:
        """Its Python.

        Raises:
            RuntimeError: It cannot be installed.
        """
        stamp = self._folder / "installed.lock"
        if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
            self._install()
            shutil.copyfile(LOCK, stamp)
        return self._folder / "bin" / "python"

    def _install(self) -> None:
        self._say("installing the peers into an environment of their own (once)")
        shutil.rmtree(self._folder, ignore_errors=True)
        venv.create(self._folder, with_pip=True)
        command = [
            *(str(self._folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"),
            *("--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the peers cannot be installed: {done.stderr.strip()[-1000:]}")

    def versions(self) -> dict[str, str]:
        """The versions of the named peers, as the lock file has them."""
        pinned = dict(
            line.split(" ")[0].split("==") for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line
        )
        return {name: pinned[name] for name in _NAMED}

    def run(self, program: str, arguments: dict[str, Any], seconds: float = 300) -> dict[str, Any]:
        """Run one of the peers' programs; it reads its arguments as JSON and prints what it found as JSON.

        Raises:
            RuntimeError: It failed.
        """
        done = subprocess.run(
            [str(self.python), "-m", f"tests.performance.peer_programs.{program}"],
            cwd=ROOT, env=environment(), input=json.dumps(arguments), capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()[-1000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def environment() -> dict[str, str]:
    """The environment of whatever is measured: bytecode is kept, nothing else of HAL9's is set."""
    left_out = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in left_out and not name.startswith("HAL9_")}


def own_python() -> str:
    """The Python that runs HAL9."""
    return sys.executable
