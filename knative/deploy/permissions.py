"""Which rights a deployment needs, and which of them whoever runs it lacks."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import (
    ACCOUNT,
    BROKER,
    CONFIG_MAP,
    CORE_SERVICE,
    DISRUPTION_BUDGET,
    EVENT,
    EVENT_POLICY,
    JOB,
    NAMESPACE,
    NETWORK_POLICY,
    PING_SOURCE,
    POD,
    REVISION,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    TRIGGER,
    VOLUME_CLAIM,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.deploy.cluster import Cluster
    from knative.deploy.kinds import Kind
    from knative.render.target import Target

_APPLY: Final = ("get", "list", "create", "patch", "delete")
_ALWAYS: Final = (
    ACCOUNT,
    CONFIG_MAP,
    NETWORK_POLICY,
    DISRUPTION_BUDGET,
    JOB,
    SERVICE,
    BROKER,
    TRIGGER,
    PING_SOURCE,
    EVENT_POLICY,
)
_WITH_DATA: Final = (STATEFUL_SET, CORE_SERVICE, VOLUME_CLAIM)
_AT_ONCE: Final = 16


async def missing(cluster: Cluster, target: Target, *, canary: bool = False) -> list[tuple[str, str, str]]:
    """Give what we may not do: verb, resource with its group, and where."""
    if await cluster.review({"verb": "*", "group": "*", "resource": "*"}):
        return []  # an administrator of the cluster: one question instead of eighty
    turn = asyncio.Semaphore(_AT_ONCE)

    async def denied(verb: str, kind: Kind, part: str) -> tuple[str, str, str] | None:
        where = {"namespace": cluster.namespace} if kind.namespaced else {"name": cluster.namespace}
        asked = {"verb": verb, "group": kind.group, "resource": kind.plural, **where}
        async with turn:
            allowed = await cluster.review({**asked, **({"subresource": part} if part else {})})
        if allowed:
            return None
        resource = f"{kind.plural}{f'/{part}' if part else ''}{f'.{kind.group}' if kind.group else ''}"
        return verb, resource, f"in {cluster.namespace}" if kind.namespaced else f"named {cluster.namespace}"

    found = await asyncio.gather(*(denied(*one) for one in await _needed(cluster, target, canary=canary)))
    return [one for one in found if one is not None]


async def _needed(cluster: Cluster, target: Target, *, canary: bool) -> list[tuple[str, Kind, str]]:
    kinds = (*_ALWAYS, *(_WITH_DATA if target.data is not None else ()))
    return [
        *await _namespace(cluster),
        *((verb, kind, "") for kind in kinds for verb in _APPLY),
        *((verb, SECRET, "") for verb in ("get", "list", "create", "patch")),
        *((verb, REVISION, "") for verb in ("get", "list", "delete")),
        *_looking(),
        *([("get", POD, "proxy")] if canary else []),
    ]


async def _namespace(cluster: Cluster) -> list[tuple[str, Kind, str]]:
    """A namespace that is there is only changed when its labels differ; one that is not must be made."""
    try:
        there = await cluster.get(NAMESPACE, cluster.namespace) is not None
    except ClusterError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        there = True
    return [(verb, NAMESPACE, "") for verb in ("get", "patch", *(() if there else ("create",)))]


def _looking() -> Iterator[tuple[str, Kind, str]]:
    """What is needed to say why something does not become ready."""
    yield "list", POD, ""
    yield "get", POD, "log"
    yield "list", EVENT, ""
