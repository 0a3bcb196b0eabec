"""Network policies: nothing may connect to anything, but for what a function's description names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knative.description import Deployment
    from knative.render.target import Manifest, Target

_VERSION: Final = "networking.k8s.io/v1"
_QUEUE_PROXY: Final = (8012, 8013, 8112, 8022, 9090, 9091)  # HTTP/1, HTTP/2, HTTPS, administration, metrics
_POSTGRES: Final = (5432, 6432)  # direct, and through PgBouncer
_VALKEY: Final = (6379, 6380)
_BROKER: Final = (8080, 8443)
_INGRESS: Final = (8080, 8081, 8443, 8012, 8112)
_PRIVATE: Final = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"]


def policies(deployments: Sequence[Deployment], target: Target) -> list[Manifest]:
    """Give every policy of the namespace."""
    names = _to([_namespace("kube-system", {"k8s-app": "kube-dns"})], udp=[53], tcp=[53])
    return [
        _policy("default-deny", {}, target, ingress=[], egress=[]),
        _policy("dns", {}, target, egress=[names]),
        _policy("from-knative", {}, target, ingress=[_from_knative(target)]),
        *(_egress(deployment, target) for deployment in deployments),
    ]


def _from_knative(target: Target) -> Manifest:
    """Let in the activator, the autoscaler, the ingress and the broker's dispatchers: all by way of the queue-proxy."""
    namespaces = dict.fromkeys(("knative-serving", "knative-eventing", *target.ingress_namespaces))
    return {"from": [_namespace(name) for name in namespaces], "ports": _ports("TCP", _QUEUE_PROXY)}


def _egress(deployment: Deployment, target: Target) -> Manifest:
    function = deployment.function
    rules: list[Manifest] = []
    if "database" in function.needs:
        rules.append(_to([{"ipBlock": {"cidr": cidr}} for cidr in target.database_cidrs], tcp=_POSTGRES))
    if "cache" in function.needs or "HAL9_CACHE_URL" in {secret.env for secret in function.secrets}:
        rules.append(_to([{"ipBlock": {"cidr": cidr}} for cidr in target.cache_cidrs], tcp=_VALKEY))
    if "broker" in function.egress.functions:
        rules.append(_to([_namespace("knative-eventing")], tcp=_BROKER))
    if set(function.egress.functions) - {"broker"}:
        rules.append(_to([_namespace(name) for name in target.ingress_namespaces], tcp=_INGRESS))
    if function.egress.hosts or "objects" in function.needs:
        rules.append(_to([{"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}], tcp=_outside(function.egress.hosts)))
    return _policy(deployment.name, {"serving.knative.dev/service": deployment.name}, target, egress=rules)


def _outside(hosts: Iterable[str]) -> list[int]:
    """Give the ports of outside hosts. A NetworkPolicy knows no names: which host it is, the egress proxy decides."""
    return sorted({443, *(int(host.rpartition(":")[2]) for host in hosts)})


def _policy(name: str, labels: dict[str, str], target: Target, **rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": _VERSION,
        "kind": "NetworkPolicy",
        "metadata": target.metadata(name),
        "spec": {
            "podSelector": {"matchLabels": labels} if labels else {},
            "policyTypes": [direction.capitalize() for direction in rules],
            **{direction: rule for direction, rule in rules.items() if rule},
        },
    }


def _namespace(name: str, pods: dict[str, str] | None = None) -> Manifest:
    peer: Manifest = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    if pods is not None:
        peer["podSelector"] = {"matchLabels": pods}
    return peer


def _to(peers: list[Manifest], *, tcp: Iterable[int] = (), udp: Iterable[int] = ()) -> Manifest:
    return {"to": peers, "ports": [*_ports("UDP", udp), *_ports("TCP", tcp)]}


def _ports(protocol: str, numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": number} for number in numbers]
