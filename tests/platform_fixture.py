"""Fixtures that run whole platforms as their users do: `hal9 up` in a folder of their own, on a free port.

`platform` is one for the session, with the project's own functions, and `tallying` one that runs the tests' process
besides: leave them as you find them. With `--cluster` both are a deployment on the cluster of KUBECONFIG
(`tests/cluster/deployed.py`), and the tests that use them are what is chosen of all tests outside `tests/cluster`.
`platforms` makes more, always on this machine: for tests that kill things or need other functions
(`tests/platform_functions`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from knative.platform import processes
from knative.platform.home import Home
from shared.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
SMALL_FUNCTIONS = ROOT / "tests" / "platform_functions"


class Platform(Protocol):
    """What a test may ask of a platform wherever it runs."""

    def hal9(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the `hal9` command for it, from another folder than the checkout."""

    @property
    def credentials(self) -> dict[str, str]:
        """The demo organisation's: url, api_key, organisation."""

    def http(self, **headers: str) -> httpx.Client:
        """Give a plain HTTP client of its gateway."""

    def client(self, tries: int = 4) -> Client:
        """Give the SDK's client, with the demo organisation's key."""

    def logs(self) -> str:
        """How it is, for a failure's message."""


class RunningPlatform:
    """A platform in a folder of its own.

    Args:
        home: Its HAL9_HOME.
        functions: Folder of its functions; None for the project's own.
        environment: Further environment variables for `hal9 up`.
    """

    def __init__(self, home: Path, functions: Path | None = None, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.functions = functions
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_")}
        self.environment = {**kept, "HAL9_HOME": str(home), "HAL9_PORT": "0", **(environment or {})}

    def hal9(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the `hal9` command for this platform, from another folder than the checkout."""
        command = [sys.executable, "-m", "knative.cli.main", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"hal9 {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            )
        return done

    def up(self, *arguments: str) -> dict[str, Any]:
        """Start it."""
        functions = ["--functions", str(self.functions)] if self.functions else []
        told: dict[str, Any] = json.loads(self.hal9("up", "--json", *functions, *arguments).stdout)
        return told

    def down(self) -> None:
        """Stop it."""
        self.hal9("down")

    @property
    def state(self) -> dict[str, Any]:
        """What the supervisor wrote."""
        state = Home.at(self.home).read_state()
        assert state is not None
        return state

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self.credentials["url"])

    @property
    def credentials(self) -> dict[str, str]:
        """The demo organisation's: url, api_key, organisation."""
        found: dict[str, str] = json.loads((self.home / "credentials.json").read_bytes())
        return found

    def http(self, **headers: str) -> httpx.Client:
        """Give a plain HTTP client of its gateway."""
        return httpx.Client(base_url=self.url, trust_env=False, headers=headers, timeout=60)

    def client(self, tries: int = 4) -> Client:
        """Give the SDK's client, with the demo organisation's key."""
        return Client(self.url, self.credentials["api_key"], tries=tries)

    @property
    def run(self) -> Path:
        """The folder of its sockets."""
        return Home.at(self.home).run

    def status(self) -> dict[str, Any]:
        """What `hal9 status` says."""
        found: dict[str, Any] = json.loads(self.hal9("status", "--json").stdout)
        return found

    def pids(self, name: str) -> list[int]:
        """The processes of a server (`postgres-0`, `valkey`), of `broker`, `supervisor`, or of a deployment."""
        pids = self.status()["pids"]
        found = pids.get(name, pids["functions"].get(name, []))
        return [one["pid"] for one in (found if isinstance(found, list) else [found])]

    def kill(self, name: str) -> list[int]:
        """kill -9 them; give which they were."""
        killed = self.pids(name)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return killed

    def processes(self) -> list[int]:
        """Every process that belongs to it: marked by it, or working in its folder."""
        marked = {identity.pid for identity in processes.marked(Home.at(self.home).mark)}
        return sorted(marked | _working_below(self.home))

    def logs(self) -> str:
        """The ends of its logs, for a failure's message."""
        files = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

    def journal(self, name: str = "journal") -> list[dict[str, Any]]:
        """What the small functions noted."""
        path = self.home / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _working_below(folder: Path) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(folder):
                    found.add(int(entry.name))
    return found


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something holds; give it."""
    limit = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > limit:
            raise AssertionError("what was waited for did not come")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def platforms() -> Iterator[Callable[..., RunningPlatform]]:
    """A factory of platforms: `platforms(functions=..., environment=...)`; each is stopped at the end."""
    made: list[RunningPlatform] = []
    base = Path(tempfile.mkdtemp(prefix="hal9-platform-"))

    def make(functions: Path | None = SMALL_FUNCTIONS, **environment: str) -> RunningPlatform:
        made.append(RunningPlatform(base / str(len(made)), functions, environment))
        return made[-1]

    yield make
    for one in made:
        if Home.at(one.home).locked or one.processes():
            one.hal9("down", check=False)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def platform(request: pytest.FixtureRequest) -> Platform:
    """The project's own functions, for the whole session."""
    return _wherever(request, "own_platform")


@pytest.fixture(scope="session")
def tallying(request: pytest.FixtureRequest) -> Platform:
    """A platform that also runs `tally`, the tests' own process."""
    return _wherever(request, "own_tallying")


def _wherever(request: pytest.FixtureRequest, here: str) -> Platform:
    found: Platform = request.getfixturevalue("deployed" if request.config.getoption("--cluster") else here)
    return found


@pytest.fixture(scope="session")
def own_platform(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    """The project's own functions, on this machine."""
    made = platforms(functions=None)
    made.up()
    return made


@pytest.fixture(scope="session")
def own_tallying(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    """The project's own functions with `tally` besides, on this machine; every event comes twice."""
    made = platforms(functions=None, HAL9_NEURON_PROCESSES="tests.processes.tally:TALLY")
    made.up("--hostile", "duplicate=2")
    return made
