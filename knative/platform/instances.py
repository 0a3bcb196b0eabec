"""Function instances as processes: `python -m knative.host FOLDER --deployment NAME --uds SOCKET`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Final

from knative.platform.activator import Unready
from knative.platform.processes import Child
from knative.platform.upstream import Pool, UpstreamLost, exchange

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knative.description import Deployment
    from knative.platform.home import Home
    from knative.platform.http1 import Headers

READY_SECONDS: Final = 60.0
"""How long a start may take."""

PROBE_SECONDS: Final = 0.02
LONGEST_GRACE_SECONDS: Final = 30.0
_OK: Final = 200


class ProcessInstance:
    """One instance.

    Args:
        number: Among its deployment's.
        child: Its process.
        socket: Where it listens.
        grace_seconds: How long it may take to end.

    Attributes:
        unready: What its readiness probe said last of why it is not ready.
    """

    def __init__(self, number: int, child: Child, socket: Path, grace_seconds: float) -> None:
        self.number = number
        self.child = child
        self.pool = Pool(str(socket))
        self._socket = socket
        self._grace = min(grace_seconds, LONGEST_GRACE_SECONDS)
        self.unready: Unready | None = None

    async def ready(self) -> bool:
        """Wait until it answers its readiness probe; False when it ended before, or did not become ready in time."""
        limit = asyncio.get_running_loop().time() + READY_SECONDS
        while self.child.running and asyncio.get_running_loop().time() < limit:
            if await self._probe():
                return True
            await asyncio.sleep(PROBE_SECONDS)
        return False

    async def _probe(self) -> bool:
        if not self._socket.exists():
            return False
        try:
            async with asyncio.timeout(5.0):
                status, headers, content = await exchange(self.pool, b"GET", b"/healthz/ready", [])
        except (UpstreamLost, OSError, TimeoutError):
            return False
        self.unready = None if status == _OK else _said(headers, content)
        return status == _OK

    async def ended(self) -> int:
        """Wait for its end; give its exit code."""
        code = await self.child.ended()
        with contextlib.suppress(OSError):
            self._socket.unlink()
        return code

    async def stop(self) -> None:
        """Let it drain, then end it."""
        await self.child.stop(self._grace)


def _said(headers: Headers, content: bytes) -> Unready | None:
    """What a probe's answer says of why the function is not ready; None where it does not."""
    try:
        reason = json.loads(content).get("reason")
        retry = float(dict(headers).get(b"retry-after", b"1"))
    except (ValueError, AttributeError):
        return None
    return Unready(reason, retry) if isinstance(reason, str) else None


class ProcessLauncher:
    """Starts instances of the deployments that it knows.

    Args:
        home: The platform's folder.
        root: Where the packages are: the working folder of instances.
        deployments: By name.
        environments: By deployment's name.
    """

    def __init__(
        self,
        home: Home,
        root: Path,
        deployments: Mapping[str, Deployment],
        environments: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._home = home
        self._root = root
        self._deployments = deployments
        self._environments = environments
        self.running: dict[str, ProcessInstance] = {}

    def launch(self, deployment: str, number: int) -> ProcessInstance:
        """Start an instance.

        Raises:
            OSError: The process cannot be started.
        """
        about = self._deployments[deployment]
        socket = self._home.instance_socket(deployment, number)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket)  # noqa: PTH108 - called from the event loop; a socket of an instance that was killed
        name = f"{deployment}-{number}"
        command = [
            sys.executable, "-m", "knative.host", str(about.function.folder), "--deployment", deployment,
            "--uds", str(socket),
        ]  # fmt: skip
        child = Child(name, command, self._root, self._environments[deployment], self._home.log(deployment))
        return ProcessInstance(number, child, socket, about.function.grace_seconds)
