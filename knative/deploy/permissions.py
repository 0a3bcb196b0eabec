"""Which rights a deployment needs, and which of them whoever runs it lacks."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
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
    WORKLOAD,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knative.deploy.cluster import Cluster
    from knative.deploy.kinds import Kind
    from knative.render.target import Target

ROLE: Final = "hal9-deployer"
"""The name of the role that is proposed."""

_RBAC: Final = "rbac.authorization.k8s.io/v1"
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
_WITH_BACKUPS: Final = (WORKLOAD, CORE_SERVICE, VOLUME_CLAIM)
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Rights:
    """What may not be done, of what is needed: verb, kind, and the part of the kind, which may be empty.

    Attributes:
        denied: what may not be done.
        needed: all of it.
    """

    denied: tuple[tuple[str, Kind, str], ...]
    needed: tuple[tuple[str, Kind, str], ...]


async def missing(cluster: Cluster, target: Target, *, canary: bool = False) -> Rights:
    """Ask for each right."""
    if await cluster.review({"verb": "*", "group": "*", "resource": "*"}):
        return Rights((), ())  # an administrator of the cluster: one question instead of eighty
    turn = asyncio.Semaphore(_AT_ONCE)

    async def allowed(verb: str, kind: Kind, part: str) -> bool:
        where = {"namespace": cluster.namespace} if kind.namespaced else {"name": cluster.namespace}
        asked = {"verb": verb, "group": kind.group, "resource": kind.plural, **where}
        async with turn:
            return await cluster.review({**asked, **({"subresource": part} if part else {})})

    needed = tuple(await _needed(cluster, target, canary=canary))
    found = await asyncio.gather(*(allowed(*one) for one in needed))
    return Rights(tuple(one for one, may in zip(needed, found, strict=True) if not may), needed)


def sentences(rights: Rights, namespace: str) -> list[str]:
    """Say what may not be done, a sentence for each resource."""
    verbs: dict[tuple[Kind, str], list[str]] = defaultdict(list)
    for verb, kind, part in rights.denied:
        verbs[kind, part].append(verb)
    return [
        f"You may not {', '.join(some)} {_resource(kind, part)}{f'.{kind.group}' if kind.group else ''} "
        f"{'in' if kind.namespaced else 'named'} {namespace}."
        for (kind, part), some in verbs.items()
    ]


def roles(rights: Rights, namespace: str) -> str:
    """Give the manifest of a Role, and of a ClusterRole where one is needed, with all rights of a deployment."""
    inside = [one for one in rights.needed if one[1].namespaced]
    denied_outside = any(not kind.namespaced for _, kind, _ in rights.denied)
    outside = [one for one in rights.needed if not one[1].namespaced] if denied_outside else []
    texts = [_role("Role", f"{{name: {ROLE}, namespace: {namespace}}}", _rules(inside, namespace))] if inside else []
    if outside:  # roles of a cluster have names of their own for each namespace
        texts.append(_role("ClusterRole", f"{{name: {ROLE}-{namespace}}}", _rules(outside, namespace)))
    return "---\n".join(texts)


def _role(kind: str, metadata: str, rules: list[dict[str, list[str]]]) -> str:
    lines = [f"apiVersion: {_RBAC}", f"kind: {kind}", f"metadata: {metadata}", "rules:"]
    return "".join(f"{line}\n" for line in [*lines, *(f"- {json.dumps(one)}" for one in rules)])


def _rules(rights: Iterable[tuple[str, Kind, str]], namespace: str) -> list[dict[str, list[str]]]:
    """Give a rule for all resources of a group that have the same verbs."""
    verbs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for verb, kind, part in rights:
        # What is to be made has no name yet, as far as RBAC sees.
        named = "" if kind.namespaced or verb == "create" else namespace
        verbs[kind.group, _resource(kind, part), named].append(verb)
    resources: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, named), some in verbs.items():
        resources[group, named, tuple(some)].append(resource)
    return [
        {"apiGroups": [group], "resources": some, **({"resourceNames": [named]} if named else {}), "verbs": list(which)}
        for (group, named, which), some in resources.items()
    ]


def _resource(kind: Kind, part: str) -> str:
    return f"{kind.plural}/{part}" if part else kind.plural


async def _needed(cluster: Cluster, target: Target, *, canary: bool) -> list[tuple[str, Kind, str]]:
    more = (*(_WITH_DATA if target.data is not None else ()), *(_WITH_BACKUPS if target.backups else ()))
    kinds = dict.fromkeys((*_ALWAYS, *more))
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
