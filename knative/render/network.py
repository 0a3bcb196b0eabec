"""Network policies: nothing may connect to anything, but for what a function's description names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knative.description import Deployment, FunctionDescription
    from knative.render.target import Manifest, Target

_VERSION: Final = "networking.k8s.io/v1"
_QUEUE_PROXY: Final = (8012, 8013, 8112, 8022, 9090, 9091)  # HTTP/1, HTTP/2, HTTPS, administration, metrics
_POSTGRES: Final = (5432, 6432)  # direct, and through PgBouncer
_VALKEY: Final = (6379, 6380)
_SERVICE: Final = "serving.knative.dev/service"
_BROKER: Final = (8080, 8443)
_BROKER_INGRESS: Final = {
    "channel": {"eventing.knative.dev/brokerRole": "ingress"},
    "kafka": {"app": "kafka-broker-receiver"},
}
"""The pods that take events; the others of Eventing are none of a function's business."""

_SERVING: Final = ("activator", "autoscaler", "autoscaler-hpa", "controller", "webhook")
_INGRESS: Final = (8080, 8081, 8443, 8012, 8112)
_PRIVATE: Final = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"]


def policies(deployments: Sequence[Deployment], target: Target) -> list[Manifest]:
    """Give every policy of the namespace."""
    return [
        _policy("default-deny", {}, target, ingress=[], egress=[]),
        _policy("dns", {}, target, egress=[_names()]),
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
    if "database" in function.needs and target.data is None:
        rules.append(_to([{"ipBlock": {"cidr": cidr}} for cidr in target.database_cidrs], tcp=_POSTGRES))
    if needs_cache(function) and target.data is None:
        rules.append(_to([{"ipBlock": {"cidr": cidr}} for cidr in target.cache_cidrs], tcp=_VALKEY))
    if "broker" in function.egress.functions:
        rules.append(_to_broker(target))
    if set(function.egress.functions) - {"broker"}:
        rules.append(_to([_ingress(name) for name in target.ingress_namespaces], tcp=_INGRESS))
    if target.oidc and is_delivered_to(deployment):
        rules.append(_to([{"ipBlock": {"cidr": cidr}} for cidr in target.api_cidrs], tcp=[target.api_port]))
    has_keys = target.data is None or target.backups  # for trying out there is no KMS, unless backups need one
    asks_for_keys = _reads(function, "HAL9_DATA_KEYS") and has_keys
    if function.egress.hosts or "objects" in function.needs or asks_for_keys:
        rules.append(_to([{"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}], tcp=_outside(function.egress.hosts)))
    return _policy(deployment.name, {_SERVICE: deployment.name}, target, egress=rules)


def is_delivered_to(deployment: Deployment) -> bool:
    """Whether the broker delivers to it, so that it needs the cluster's keys to verify that."""
    return bool(deployment.subscriptions or deployment.schedules or deployment.function.dead_letters)


def of_job(name: str, labels: dict[str, str], target: Target, *, broker: bool = False) -> Manifest:
    """Let a Job reach the databases, and the Broker where it must, and nothing else."""
    rules = [_names(), _to(_databases(target), tcp=_POSTGRES), *([_to_broker(target)] if broker else [])]
    return _policy(name, labels, target, egress=rules)


def of_archiver(name: str, labels: dict[str, str], target: Target) -> Manifest:
    """Let the archiver reach the databases (no pooler), and the store and the keys outside; nobody reaches it."""
    outside = [{"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}]
    rules = [_names(), _to(_databases(target), tcp=_POSTGRES[:1]), _to(outside, tcp=[443])]
    return _policy(name, labels, target, egress=rules)


def _databases(target: Target) -> list[Manifest]:
    """Give the shards' servers: those of the namespace, or those elsewhere."""
    if target.data is not None:
        return [{"podSelector": {"matchLabels": _server("postgres")}}]
    return [{"ipBlock": {"cidr": cidr}} for cidr in target.database_cidrs]


def _to_broker(target: Target) -> Manifest:
    return _to([_namespace("knative-eventing", _BROKER_INGRESS[target.broker])], tcp=_BROKER)


def between(
    server: str, services: Sequence[str], pods: Sequence[dict[str, str]], port: int, target: Target
) -> list[Manifest]:
    """Let Knative Services and other pods reach a server of the namespace, and nobody else.

    Args:
        server: `postgres` or `valkey`.
        services: the Knative Services' names.
        pods: the other pods' labels.
        port: the server's.
        target: for which cluster.
    """
    from_services = {"matchExpressions": [{"key": _SERVICE, "operator": "In", "values": sorted(services)}]}
    peers: list[Manifest] = [
        {"podSelector": from_services},
        *({"podSelector": {"matchLabels": labels}} for labels in pods),
    ]
    reached = [{"podSelector": {"matchLabels": _server(server)}}]
    out = _policy(f"to-{server}", {}, target, egress=[_to(reached, tcp=[port])])
    out["spec"]["podSelector"] = from_services
    within = [{"from": peers, "ports": _ports("TCP", [port])}]
    return [_policy(f"hal9-{server}", _server(server), target, ingress=within), out]


def _server(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": f"hal9-{name}"}


def needs_cache(function: FunctionDescription) -> bool:
    """Whether a function talks to Valkey; the gateway does without being unready when it cannot."""
    return "cache" in function.needs or _reads(function, "HAL9_CACHE_URL")


def _reads(function: FunctionDescription, variable: str) -> bool:
    """Whether a function gets a Secret; who gets HAL9_DATA_KEYS asks a service outside to unwrap with them."""
    return variable in {secret.env for secret in function.secrets}


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


def _ingress(namespace: str) -> Manifest:
    """Give the pods of an ingress; beside Knative Serving not Serving's own."""
    peer = _namespace(namespace)
    if namespace == "knative-serving":
        own = {"key": "app", "operator": "NotIn", "values": list(_SERVING)}
        peer["podSelector"] = {"matchExpressions": [own]}
    return peer


def _names() -> Manifest:
    """Let names be resolved."""
    return _to([_namespace("kube-system", {"k8s-app": "kube-dns"})], udp=[53], tcp=[53])


def _to(peers: list[Manifest], *, tcp: Iterable[int] = (), udp: Iterable[int] = ()) -> Manifest:
    return {"to": peers, "ports": [*_ports("UDP", udp), *_ports("TCP", tcp)]}


def _ports(protocol: str, numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": number} for number in numbers]
