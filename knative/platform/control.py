"""What the supervisor tells over its own socket, and does when asked.

`GET /status` is for `hal9 status` and tests; `POST /shards/<number>/promote` for `hal9 shards promote`: 200 with what
was done, 409 with `fault` when it is refused.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from knative.platform import processes
from knative.platform.broker.hostile import Hostile
from knative.platform.externalcache import fault
from knative.platform.upstream import Pool, UpstreamLost, exchange
from shared.problems import Problem

if TYPE_CHECKING:
    from knative.platform.activator import Deployment
    from knative.platform.http1 import Request, Response
    from knative.platform.supervisor import Platform

_PROMOTION: Final = re.compile(rb"/shards/([0-9]{1,4})/promote")


class Control:
    """Answers questions about one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._broker = Pool(str(platform.home.broker_socket))

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request.

        Raises:
            Problem: There is nothing at that path.
        """
        promoted = _PROMOTION.fullmatch(request.target)
        if request.method == b"POST" and promoted is not None:
            status, said = await self._promote(int(promoted[1]))
        elif request.method == b"GET" and request.target == b"/status":
            status, said = 200, await self.status()
        else:
            raise Problem("route-unknown")
        response.send(status, [(b"content-type", b"application/json")], json.dumps(said).encode())

    async def _promote(self, number: int) -> tuple[int, dict[str, Any]]:
        """Promote a shard's replica; give the answer's status and body."""
        keeper = self._platform.keeper
        if keeper is None:
            return 409, {"fault": "This platform has no replicas: start it with `hal9 up --replicas 1`."}
        from knative.platform.keeper import PromotionRefusedError

        try:
            return 200, asdict(await keeper.promote(number))
        except PromotionRefusedError as error:
            return 409, {"fault": f"Shard {number}: {error}.", "again": error.passes}

    async def status(self) -> dict[str, Any]:
        """Say what runs."""
        platform = self._platform
        servers = {
            server.name: _process(server.process.pid if server.process is not None and server.alive else None)
            for server in (platform.servers.all if platform.servers else [])
        }
        functions = {name: _deployment(deployment) for name, deployment in platform.deployments.items()}
        return {
            "ready": platform.ready,
            "url": platform.url,
            "home": str(platform.home.path),
            "supervisor": _process(os.getpid()),
            "servers": servers,
            "cache": await self._cache(),
            "disk": {"free_bytes": platform.home.free_bytes(), "fault": platform.home.fault()},
            "server_restarts": platform.server_restarts,
            "replicas": platform.keeper.status() if platform.keeper is not None else [],
            "failovers": [asdict(one) for one in platform.keeper.failovers] if platform.keeper is not None else [],
            "broker": {
                **_process(platform.broker.pid if platform.broker is not None and platform.broker.running else None),
                "restarts": platform.broker_restarts,
                "hostile": Hostile.parse(platform.settings.hostile).text,
                **await self._asked(),
            },
            "functions": functions,
            "pids": platform.pids(),
            "memory_bytes": _memory(os.getpid()),
        }

    async def _cache(self) -> dict[str, Any]:
        """Whether a cache that is not ours answers; ours is among the servers."""
        if not self._platform.settings.cache:
            return {"external": False, "fault": None}
        return {"external": True, "fault": await fault(self._platform.settings.cache)}

    async def _asked(self) -> dict[str, Any]:
        try:
            status, _, content = await exchange(self._broker, b"GET", b"/status", [])
            answer: dict[str, Any] = json.loads(content) if status == 200 else {}
        except (UpstreamLost, OSError, ValueError):
            return {}
        return answer


def _process(pid: int | None) -> dict[str, Any]:
    return {"pid": pid, "memory_bytes": 0 if pid is None else _memory(pid)}


def _memory(pid: int) -> int:
    """Give the memory of a process and of what it started; the supervisor's is thereby the platform's."""
    return sum(processes.memory_bytes(one) for one in [pid, *processes.descendants(pid)])


def _deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "ready": deployment.count("ready"),
        "starting": deployment.count("starting"),
        "held": deployment.held,
        "requests": deployment.requests,
        "refused": deployment.refused,
        "starts": deployment.starts,
        "crashes": deployment.crashes,
        "scale": {"min": deployment.scale.minimum, "max": deployment.scale.maximum},
        "instances": [
            {
                "number": slot.instance.number,
                "state": slot.state,
                "serving": slot.serving,
                "streams": slot.streams,
                **_process(slot.instance.child.pid),  # type: ignore[attr-defined]
            }
            for slot in deployment.slots
        ],
    }
