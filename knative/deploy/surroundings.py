"""What a cluster has already and HAL9's network policies must know: where its API server and its ingress are.

Promises: what the caller named is kept; what may not be read, or cannot be told, is left as it was.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import CONFIG_MAP, ENDPOINT_SLICE
from knative.render import Target

if TYPE_CHECKING:
    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_OF_KUBERNETES: Final = "kubernetes.io/service-name=kubernetes"
_SERVING: Final = "knative-serving"
_INGRESSES: Final = {
    "kourier.ingress.networking.knative.dev": ("kourier-system",),
    "istio.ingress.networking.knative.dev": ("istio-system",),
    "contour.ingress.networking.knative.dev": ("contour-internal", "contour-external"),
}
"""Where Knative's own ingresses run when they are installed as its documentation says."""

_DEFAULT_CLASS: Final = (
    "istio.ingress.networking.knative.dev"
    """What Serving takes where config-network names none."""
)


async def found(cluster: Cluster, target: Target) -> Target:
    """Give the target with what the cluster says, where the target says nothing of its own.

    Args:
        cluster: where to look.
        target: says nothing where it has the defaults.
    """
    if target.api_cidrs == Target.api_cidrs and target.oidc:
        target = _with_api_server(target, await _read(cluster, "default"))
    if target.ingress_namespaces == Target.ingress_namespaces:
        target = replace(target, ingress_namespaces=await _ingress(cluster) or target.ingress_namespaces)
    return target


def _with_api_server(target: Target, slices: list[Manifest]) -> Target:
    """Name the API servers themselves: a policy sees addresses after the service's translation."""
    addresses = sorted({address for one in slices for end in one["endpoints"] for address in end["addresses"]})
    ports = {port["port"] for one in slices for port in one["ports"]}
    if not addresses or len(ports) != 1:
        return target
    return replace(target, api_cidrs=tuple(str(ipaddress.ip_network(one)) for one in addresses), api_port=ports.pop())


async def _read(cluster: Cluster, namespace: str) -> list[Manifest]:
    try:
        return await cluster.listed(ENDPOINT_SLICE, _OF_KUBERNETES, namespace=namespace)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return []
        raise


async def _ingress(cluster: Cluster) -> tuple[str, ...]:
    """Name the namespaces of the ingress; one that is not known is looked for beside Knative Serving."""
    try:
        network = await cluster.get(CONFIG_MAP, "config-network", namespace=_SERVING)
    except ClusterError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return ()
        raise
    if network is None:
        return ()
    entries = network.get("data") or {}
    name = entries.get("ingress-class") or entries.get("ingress.class") or _DEFAULT_CLASS
    return _INGRESSES.get(name, (_SERVING,))
