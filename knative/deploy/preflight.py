"""What a deployment asks of a cluster, checked before anything is written: every fault is named, with what to do.

Promises: reads only (access reviews are questions). Does not: judge nodes' room, or whether images can be pulled: what
does not become ready says so itself (`waiting`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from knative.deploy import permissions
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import (
    BROKER,
    CONFIG_MAP,
    EVENT_POLICY,
    PING_SOURCE,
    SERVICE,
    STORAGE_CLASS,
    TRIGGER,
    WORKLOAD,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knative.deploy.cluster import Cluster
    from knative.deploy.kinds import Kind
    from knative.render.target import Manifest, Target

SERVING: Final = "knative-serving"
EVENTING: Final = "knative-eventing"
_KUBERNETES: Final = (1, 28)
_KNATIVE: Final = (1, 15)
_FLAG_ON: Final = ("enabled", "allowed")
_OIDC: Final = "authentication-oidc"
_VERSION_LABEL: Final = "app.kubernetes.io/version"
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
_NUMBERS: Final = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that stands in the way.

    Attributes:
        what: is wrong, one sentence.
        remedy: what to do, or the command that does it; empty where that of a later one mends this one as well.
    """

    what: str
    remedy: str


async def check(cluster: Cluster, target: Target, *, canary: bool = False) -> list[Fault]:
    """Give everything that stands in the way of a deployment.

    Args:
        cluster: where to.
        target: what is to be applied.
        canary: whether new versions are to be measured while they have a share of the requests.
    """
    *parts, rights = await asyncio.gather(
        _kubernetes(cluster),
        _serving(cluster, target),
        _eventing(cluster, target),
        _storage(cluster, target),
        permissions.missing(cluster, target, canary=canary),
    )
    return [*(fault for part in parts for fault in part), *rights_faults(rights, cluster.namespace)]


def rights_faults(rights: permissions.Rights, namespace: str) -> list[Fault]:
    """Name each resource that may not be had; the last one says what to ask for, once for all."""
    said = permissions.sentences(rights, namespace)
    advice = (
        "Give this to an administrator of the cluster, who applies it and binds it to you (kubectl create rolebinding, "
        f"clusterrolebinding):\n{permissions.roles(rights, namespace)}"
    )
    return [Fault(what, advice if number == len(said) else "") for number, what in enumerate(said, start=1)]


async def _kubernetes(cluster: Cluster) -> list[Fault]:
    version = await cluster.version()
    if _numbers(version) >= _KUBERNETES:
        return []
    return [Fault(f"Kubernetes is {version}: Knative 1.15 needs 1.28 or later.", "Upgrade the cluster.")]


async def _serving(cluster: Cluster, target: Target) -> list[Fault]:
    faults = await _served(cluster, "Knative Serving", [SERVICE], "https://knative.dev/docs/install/")
    if faults:
        return faults
    faults = await _release(cluster, "Knative Serving", SERVING, "controller")
    features = await _config(cluster, SERVING, "config-features")
    if features is None:
        return faults
    return faults + [
        Fault(f"The flag {flag} is off: {reason}.", _patch(SERVING, flag, "enabled"))
        for flag, reason in target.feature_flags.items()
        if features.get(flag, "disabled").lower() not in _FLAG_ON
    ]


async def _eventing(cluster: Cluster, target: Target) -> list[Fault]:
    wanted = [BROKER, TRIGGER, PING_SOURCE, *([EVENT_POLICY] if target.oidc else [])]
    faults = await _served(cluster, "Knative Eventing", wanted, "https://knative.dev/docs/install/")
    if faults:
        return faults
    faults = await _release(cluster, "Knative Eventing", EVENTING, "eventing-controller")
    faults += await _broker(cluster, target)
    features = await _config(cluster, EVENTING, "config-features")
    has_oidc = (features or {}).get(_OIDC, "disabled").lower() == "enabled"
    if has_oidc and not target.oidc:
        faults.append(
            Fault(
                f"The flag {_OIDC} is on: Knative's broker takes events only with the cluster's tokens, and functions "
                "that go by a shared secret have none.",
                "Leave out --without-oidc.",
            )
        )
    if target.oidc and features is not None and not has_oidc:
        faults.append(
            Fault(
                f"The flag {_OIDC} is off: without it Knative's broker cannot prove to a function that it is the "
                "broker.",
                f"{_patch(EVENTING, _OIDC, 'enabled')}, before any Broker exists (restart Eventing's deployments "
                "otherwise); or go on with a shared secret: --without-oidc.",
            )
        )
    return faults


async def _broker(cluster: Cluster, target: Target) -> list[Fault]:
    """Check that the Broker's class is installed: its configuration comes with it."""
    name = target.broker_configuration
    if await _config(cluster, EVENTING, name) != {} or target.broker == "channel":
        return []
    return [
        Fault(
            f"The Kafka broker is not installed: there is no ConfigMap {name} in {EVENTING}.",
            "Install Knative's Kafka broker, or try HAL9 out with --broker channel, which keeps no event over a "
            "restart.",
        )
    ]


async def _storage(cluster: Cluster, target: Target) -> list[Fault]:
    data = target.data
    needed = [
        *(
            [("--with-data", data.storage_class, "use --storage emptydir: all data goes when a pod goes")]
            if data is not None and data.storage == "volume"
            else []
        ),
        *([("--backups", target.backups_storage_class, "leave --backups out")] if target.backups else []),
    ]
    if not needed:
        return []
    try:
        classes = await cluster.listed(STORAGE_CLASS)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return []
        raise
    return [fault for one in needed for fault in _without_class(classes, *one)]


def _without_class(classes: list[Manifest], option: str, wanted: str, instead: str) -> list[Fault]:
    """Check that there is the StorageClass that an option needs: the named one, or a default."""
    names = [one["metadata"]["name"] for one in classes]
    if wanted:
        found = wanted in names
        what = f"There is no StorageClass {wanted}."
    else:
        found = any(one["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true" for one in classes)
        what = f"The cluster has no default StorageClass, and {option} needs volumes."
    if found:
        return []
    naming = "--storage-class" if option == "--with-data" else f"{option}-storage-class"
    others = f"Name one with {naming} ({', '.join(names)}), or" if names else "Install one, or"
    return [Fault(what, f"{others} {instead}.")]


async def _served(cluster: Cluster, product: str, kinds: Iterable[Kind], where: str) -> list[Fault]:
    """Check that the server knows the kinds; with none of them the product is not installed."""
    wanted = list(kinds)
    versions = {kind.version: await cluster.served(kind.version) for kind in wanted}
    if not any(versions.values()):
        return [Fault(f"{product} is not installed in the cluster.", f"Install 1.15 or later: {where}")]
    lacking = [f"{kind.name} ({kind.version})" for kind in wanted if kind.name not in versions[kind.version]]
    if not lacking:
        return []
    return [Fault(f"{product} is older than 1.15: it does not know {', '.join(lacking)}.", f"Upgrade it: {where}")]


async def _release(cluster: Cluster, product: str, namespace: str, name: str) -> list[Fault]:
    """Check the release that a controller says it is; one built from source does not say."""
    try:
        found = await cluster.get(WORKLOAD, name, namespace=namespace)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:  # who may not look there may deploy all the same
            return []
        raise
    release = (found or {}).get("metadata", {}).get("labels", {}).get(_VERSION_LABEL, "")
    if not _NUMBERS.match(release) or _numbers(release) >= _KNATIVE:
        return []
    return [Fault(f"{product} is {release}: HAL9 needs 1.15 or later.", "Upgrade it, one minor release at a time.")]


async def _config(cluster: Cluster, namespace: str, name: str) -> dict[str, str] | None:
    """Give a ConfigMap's entries: none when it is not there, None when we may not look."""
    try:
        found = await cluster.get(CONFIG_MAP, name, namespace=namespace)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return None
        raise
    entries: dict[str, str] = (found or {}).get("data") or {}
    return entries


def _patch(namespace: str, flag: str, value: str) -> str:
    patch = f'{{"data":{{"{flag}":"{value}"}}}}'
    return f"kubectl -n {namespace} patch configmap config-features --type merge -p '{patch}'"


def _numbers(version: str) -> tuple[int, int]:
    match = _NUMBERS.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
