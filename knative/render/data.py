"""Servers for trying out: one PostgreSQL for each shard, one Valkey, a claim for artefacts; and who may reach them.

Single-node and not replicated: for production the databases are elsewhere (`Target.data` is None). Their images have
versions of their own, so that a release restarts none of them without need. Each PostgreSQL allows the connections that
`hal9 pools plan` asks for in the same environment. Valkey keeps nothing over a restart: only limits are in it. The
passwords lie in the Secret `hal9-data`, which `hal9 deploy --with-data` makes. Where the archiver is rendered, it
reaches the servers as `hal9_backup`; that role has no password, and so no way in, elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from knative.render import backups, migrations, network, probe
from knative.render.connections import max_connections
from knative.render.pods import CONTAINER_SECURITY, POD_SECURITY, account, secret_variable
from knative.render.target import OBJECTS_CLAIM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.description import Deployment
    from knative.render.target import Data, Manifest, Target

SHARDS: Final = 3
DATABASE: Final = "hal9"
PASSWORDS: Final = "hal9-data"
"""The Secret with the keys `owner`, `app` and `cache`, and with the archiver `backup`."""

_VALKEY: Final = "hal9-valkey"
_VALKEY_PORT: Final = 6379
_POSTGRES_PORT: Final = 5432
_POSTGRES_MEBIBYTES: Final = 768
_CONNECTION_MEBIBYTES: Final = 4
"""The limit of a server's memory, and what each connection that it allows adds to it."""

_ACCOUNT: Final = "hal9-data"
_FOLDER: Final = "/var/lib/hal9"


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    image: str
    version: str
    port: int
    variables: Mapping[str, str]
    cpu: str
    memory: str
    limit: str
    keeps: bool
    arguments: tuple[str, ...] = ()


def _valkey(version: str) -> _Server:
    passwords = {"HAL9_VALKEY_PASSWORD": "cache"}
    return _Server(_VALKEY, "valkey", version, _VALKEY_PORT, passwords, "25m", "32Mi", "256Mi", keeps=False)


def _postgres(shard: int, version: str, connections: int, *, archived: bool) -> _Server:
    """Describe a shard's server, which allows so many connections: they cost memory only while they are open."""
    passwords = {"HAL9_POSTGRES_OWNER_PASSWORD": "owner", "HAL9_POSTGRES_APP_PASSWORD": "app"}
    passwords |= {"HAL9_POSTGRES_BACKUP_PASSWORD": "backup"} if archived else {}
    limit = f"{_POSTGRES_MEBIBYTES + _CONNECTION_MEBIBYTES * connections}Mi"
    arguments = ("-c", f"max_connections={connections}")
    return _Server(_name(shard), "postgres", version, _POSTGRES_PORT, passwords, "50m", "128Mi", limit, True, arguments)


def _name(shard: int) -> str:
    return f"hal9-postgres-{shard}"


def shard_address(shard: int, role: str, password: str, namespace: str) -> str:
    """Give a shard's address for a role; the password's characters need no quoting."""
    host = f"{_name(shard)}.{namespace}.svc.cluster.local"
    return f"postgresql://{role}:{password}@{host}:{_POSTGRES_PORT}/{DATABASE}"


def cache_address(password: str, namespace: str) -> str:
    """Give Valkey's address."""
    return f"redis://:{password}@{_VALKEY}.{namespace}.svc.cluster.local:{_VALKEY_PORT}/0"


def servers(deployments: Sequence[Deployment], data: Data, target: Target) -> list[Manifest]:
    """Give the servers, their addresses, and the policies that let in and out whoever needs them."""
    connections = max_connections(deployments, target.pool_size)
    archived = bool(target.backups)
    postgres = [_postgres(shard, data.postgres, connections, archived=archived) for shard in range(SHARDS)]
    all_servers = [*postgres, _valkey(data.valkey)]
    shards = [one.name for one in deployments if "database" in one.function.needs]
    beside = [migrations.LABELS, probe.LABELS, *([backups.LABELS] if archived else [])]
    cache = [one.name for one in deployments if network.needs_cache(one.function)]
    return [
        account(_ACCOUNT, target),
        *([_claim(OBJECTS_CLAIM, data, target)] if target.objects_claim else []),
        *(part for one in all_servers for part in (_service(one, target), _stateful_set(one, data, target))),
        *network.between("postgres", shards, beside, _POSTGRES_PORT, target),
        *network.between("valkey", cache, [], _VALKEY_PORT, target),
    ]


def _labels(server: _Server) -> dict[str, str]:
    return {"app.kubernetes.io/name": f"hal9-{server.image}", "app.kubernetes.io/instance": server.name}


def _service(server: _Server, target: Target) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": target.metadata(server.name),
        "spec": {
            "selector": _labels(server),
            "ports": [{"name": server.image, "port": server.port, "targetPort": server.port, "protocol": "TCP"}],
        },
    }


def _stateful_set(server: _Server, data: Data, target: Target) -> Manifest:
    """Give the StatefulSet; with a claim its volume outlives it."""
    claims = [_template(data, target)] if server.keeps and data.storage == "volume" else []
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": target.metadata(server.name),
        "spec": {
            "replicas": 1,
            "serviceName": server.name,
            "podManagementPolicy": "Parallel",  # else a pod that never became ready is not replaced by an update
            "selector": {"matchLabels": _labels(server)},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/part-of": "hal9", **_labels(server)}},
                "spec": _pod(server, data, target),
            },
            **({"volumeClaimTemplates": claims} if claims else {}),
        },
    }


def _pod(server: _Server, data: Data, target: Target) -> dict[str, Any]:
    mount = [{"name": "data", "mountPath": _FOLDER}] if server.keeps else []
    kept = [{"name": "data", "emptyDir": {}}] if server.keeps and data.storage == "emptydir" else []
    return {
        "serviceAccountName": _ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": server.image,
                "image": f"{target.images}/{server.image}:{server.version}",
                **({"args": list(server.arguments)} if server.arguments else {}),
                "env": [secret_variable(name, PASSWORDS, key) for name, key in server.variables.items()],
                "ports": [{"name": server.image, "containerPort": server.port, "protocol": "TCP"}],
                "readinessProbe": {"tcpSocket": {"port": server.port}, "periodSeconds": 2, "failureThreshold": 3},
                "resources": {
                    "requests": {"cpu": server.cpu, "memory": server.memory},
                    "limits": {"memory": server.limit},
                },
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    *mount,
                    {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the container's own
                ],
            }
        ],
        "volumes": [*kept, {"name": "temporary", "emptyDir": {"sizeLimit": "256Mi"}}],
    }


def _claim(name: str, data: Data, target: Target) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": target.metadata(name),
        "spec": _claimed(data),
    }


def _template(data: Data, target: Target) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": target.metadata("data")["labels"]},
        "spec": _claimed(data),
    }


def _claimed(data: Data) -> dict[str, Any]:
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": data.size}},
        **({"storageClassName": data.storage_class} if data.storage_class else {}),
    }
