"""HAL9's manifests on a real Knative with probes in the place of the functions, in a namespace that goes with them.

HAL9_CLUSTER_CONNECT_TO says where the cluster's ingress is reached (host:port); HAL9_PROBE_IMAGES where the images of
`probe/build.py` are.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import secrets as randomness
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from knative.deploy import secrets, surroundings
from knative.deploy.cluster import Cluster, connect
from knative.deploy.kinds import NAMESPACE, SERVICE, kind_of
from knative.deploy.waiting import until_ready
from knative.description import load_all
from knative.render import Target, render
from knative.render.proofs import with_secrets

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")
INGRESS = os.environ.get("HAL9_CLUSTER_CONNECT_TO", "10.231.0.2:31080")
IMAGES = os.environ.get("HAL9_PROBE_IMAGES", "dev.local/hal9-probe")
_LEFT_OUT = {"Job", "PodDisruptionBudget"}
_SENDS = re.compile(r"(eventing|sources)\.knative\.dev/").match


class Silent:
    """Hears how the waiting goes, and says nothing."""

    def ready(self, kind: str, name: str) -> None: ...

    def waiting(self, left: Any) -> None: ...


@dataclass(frozen=True)
class Stage:
    """HAL9's manifests on a cluster, as `hal9 deploy` applies them, with probes in the place of the functions.

    Attributes:
        cluster: the namespace.
        target: what was rendered for it.
        manifests: what was applied.
        client: speaks to the gateway.
    """

    cluster: Cluster
    target: Target
    manifests: tuple[dict[str, Any], ...]
    client: httpx.AsyncClient

    async def ask(self, deployment: str, path: str, body: Any = None) -> Any:
        """Ask a probe, through the gateway's: the way that requests between functions take."""
        wanted = {"deployment": deployment, "target": path, "method": "GET" if body is None else "POST"}
        reply = await self.fetch(**wanted, **({} if body is None else {"body": json.dumps(body)}))
        assert reply.get("status") in {200, 202, 502}, reply
        return json.loads(reply["body"])

    async def fetch(self, **wanted: Any) -> dict[str, Any]:
        """Have the gateway's pod send a request."""
        answer = await self.client.post("/probe/fetch", json=wanted)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def publish(self, event: dict[str, Any], deployment: str = "gateway") -> None:
        """Have a pod send an event to the Broker."""
        if deployment == "gateway":
            answer = await self.client.post("/probe/publish", json=event)
            assert answer.status_code == 202, answer.text
        else:
            assert await self.ask(deployment, "/probe/publish", event) == {}

    async def seen(self, deployment: str, what: str = "events") -> list[dict[str, Any]]:
        """Give what a deployment's probe took: the events or the dead letters, with whose token."""
        found: list[dict[str, Any]] = (await self.ask(deployment, "/probe/seen"))[what]
        return found

    async def until_seen(self, deployment: str, event_id: str, times: int = 1, what: str = "events") -> list[Any]:
        """Wait until a deployment has taken an event so often."""
        found: list[Any] = []
        async with asyncio.timeout(60):
            while len(found) < times:
                found = [one for one in await self.seen(deployment, what) if one["event"]["id"] == event_id]
                await asyncio.sleep(0.2)
        return found

    def token(self, account: str, audience: str, namespace: str | None = None) -> str:
        """Have the cluster mint a token for an account, as any pod may for its own."""
        command = ["create", "token", account, "--audience", audience, "-n", namespace or self.target.namespace]
        return kubectl(*command).strip()


def kubectl(*arguments: str, stdin: str = "") -> str:
    """Run kubectl."""
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@asynccontextmanager
async def staged(*, oidc: bool) -> AsyncIterator[Stage]:
    """Apply everything, wait until it is ready, and take it away at the end.

    Args:
        oidc: how the broker proves itself.
    """
    namespace = f"hal9-probe-{randomness.token_hex(3)}"
    async with connect(None, namespace) as cluster:
        wanted = Target("eu-central", "trial", namespace, images=IMAGES, version="probe", broker="channel", oidc=oidc)
        target = await surroundings.found(cluster, wanted)
        rendered = [_small(one) for one in chain.from_iterable(render(FUNCTIONS, target).values())]
        manifests = [one for one in rendered if one["kind"] not in _LEFT_OUT]
        try:
            await cluster.apply(next(one for one in manifests if kind_of(one) == NAMESPACE))
            proofs = await _apply_secrets(cluster, target)
            if not oidc:
                manifests = [with_secrets(one, proofs) for one in manifests]
            await _apply(cluster, manifests)
            service = await cluster.get(SERVICE, "gateway")
            assert service is not None
            host = service["status"]["url"].partition("://")[2]
            async with httpx.AsyncClient(base_url=f"http://{INGRESS}", headers={"host": host}, timeout=30) as client:
                yield Stage(cluster, target, tuple(manifests), client)
        finally:
            await cluster.delete(NAMESPACE, namespace)  # nobody waits: its pods take their time to drain


async def _apply(cluster: Cluster, manifests: list[dict[str, Any]]) -> None:
    """Apply the Services before what delivers to them: a Broker is not ready before its dead-letter sink is."""
    eventing = [one for one in manifests if _SENDS(one["apiVersion"])]
    for part in ([one for one in manifests if one not in eventing], eventing):
        for one in part:
            await cluster.apply(one)
        assert await until_ready(cluster, part, 240, Silent()) == []


async def _apply_secrets(cluster: Cluster, target: Target) -> Mapping[str, str]:
    given = dict.fromkeys(("HAL9_SHARDS", "HAL9_SHARDS_ADMIN", "HAL9_CACHE_URL"), "not-used-by-probes")
    prepared = await secrets.prepare(cluster, FUNCTIONS, target, given)
    assert prepared.faults == ()
    await secrets.write(cluster, prepared)
    return prepared.proofs


def _small(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give a Service one instance that stays, and little room: what is tried here is trust, not scale."""
    small = copy.deepcopy(manifest)
    if manifest["apiVersion"].startswith("serving.knative.dev"):
        template = small["spec"]["template"]
        template["metadata"]["annotations"] |= {
            "autoscaling.knative.dev/min-scale": "1",
            "autoscaling.knative.dev/max-scale": "1",
            "autoscaling.knative.dev/initial-scale": "1",
        }
        (container,) = template["spec"]["containers"]
        container["resources"] = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "192Mi"}}
        container["env"] = [one for one in container["env"] if not _of_data(one)]
    return small


def _of_data(variable: dict[str, Any]) -> bool:
    return bool(variable["name"] == "HAL9_OBJECTS")
