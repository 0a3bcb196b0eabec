"""The environment of the platform's processes: built from scratch, never inherited.

Promises: a function sees what its `function.toml` says that it needs, the settings that are meant for all (`HAL9_...`,
`OTEL_...`), and no secret that only another function declared; the database's owner role, API keys and whatever else is
in the user's environment stay outside; proxies and the cloud's credentials go only to functions that may call outside
hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from knative.platform.processes import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knative.description import Deployment, FunctionDescription
    from knative.platform.home import Home

SUPERUSER: Final = "postgres"
_PLAIN: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_CLOUD: Final = "AWS_"
_SHARED: Final = ("HAL9_", "OTEL_")
_ARCHIVING: Final = ("HAL9_BACKUP", "HAL9_DATA_KEYS", "HAL9_LOG_", _CLOUD)
_WITHHELD: Final = frozenset(
    {
        "HAL9_API_KEY", "HAL9_BACKUPS", "HAL9_BACKUP_SHARDS", "HAL9_BROKER_HOSTILE",
        "HAL9_BROKER_PROOF", "HAL9_BROKER_SECRET", "HAL9_BROKER_SUBJECTS",
        "HAL9_BROKER_TOKEN", "HAL9_BROKER_URL", "HAL9_CACHE_URL", "HAL9_CONNECT_TO", "HAL9_CREDENTIALS",
        "HAL9_DEAD_LETTER_SUBJECTS", "HAL9_FUNCTION_URL",
        "HAL9_IDENTITY_KEY", "HAL9_INSTANCES", "HAL9_KUBERNETES_CA", "HAL9_KUBERNETES_TOKEN", "HAL9_KUBERNETES_URL",
        "HAL9_PORT", "HAL9_REPLICAS", "HAL9_SHARDS", "HAL9_SHARDS_ADMIN", "HAL9_SHARD_COUNT", "HAL9_TRUST", "HAL9_URL",
    }
)  # fmt: skip
_DATA: Final = {"HAL9_SHARDS": "database", "HAL9_CACHE_URL": "cache"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are.

    Attributes:
        shards: For the application's role, in shard order.
        shards_admin: For the role that migrates.
        cache: Valkey's.
    """

    shards: tuple[str, ...]
    shards_admin: tuple[str, ...]
    cache: str


def plain(user: Mapping[str, str], home: Home) -> dict[str, str]:
    """Give what every process of the platform gets."""
    kept = {name: user[name] for name in _PLAIN if name in user}
    own = {MARK: home.mark, "HAL9_HOME": str(home.path)}
    return {"PATH": "/usr/bin:/bin", **kept, **own}


def as_role(role: str, address: str) -> str:
    """Give a local server's address for another role: whoever may enter the socket's folder may be any."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{role}@{host}", parts.path, parts.query, ""))


def of_archiver(home: Home, addresses: Addresses, user: Mapping[str, str], region: str) -> dict[str, str]:
    """Give the archiver's environment: it has the servers' owners, the store's credentials and the master keys.

    Args:
        home: The platform's folder.
        addresses: The servers'.
        user: The environment in which the platform was started.
        region: The platform's.
    """
    passed = {name: value for name, value in user.items() if name.startswith(_ARCHIVING) or name in _PROXIES}
    own = {"HAL9_SHARDS_ADMIN": ",".join(addresses.shards_admin), "HAL9_REGION": region}
    if not user.get("HAL9_SHARDS_ADMIN"):
        own["HAL9_BACKUP_SHARDS"] = ",".join(as_role(SUPERUSER, address) for address in addresses.shards_admin)
    return {**plain(user, home), **passed, **own}


def of_deployment(
    deployment: Deployment,
    functions: Iterable[FunctionDescription],
    home: Home,
    addresses: Addresses,
    user: Mapping[str, str],
    region: str,
) -> dict[str, str]:
    """Give the environment of a deployment's instances.

    Args:
        deployment: Whose.
        functions: All of them, for whose secrets are whose.
        home: The platform's folder.
        addresses: The servers'.
        user: The environment in which the platform was started.
        region: The platform's.
    """
    function = deployment.function
    mine = frozenset(secret.env for secret in function.secrets)
    secrets = {secret.env for other in functions for secret in other.secrets}
    passed = {
        name: value
        for name, value in user.items()
        if name in mine or (name.startswith(_SHARED) and name not in secrets)
    }
    if function.egress.hosts:
        passed |= {name: value for name, value in user.items() if name in _PROXIES or name.startswith(_CLOUD)}
    own = {
        "HAL9_IDENTITY_KEY": str(home.keys / f"{function.name}.json"),
        "HAL9_TRUST": str(home.trust_file),
        "HAL9_FUNCTION_URL": home.function_url,
        "HAL9_BROKER_URL": f"unix:{home.broker_socket}",
    }
    defaults = {
        "HAL9_REGION": region,
        "HAL9_OBJECTS": home.defaults["HAL9_OBJECTS"],
        "HAL9_DATA_KEYS": home.defaults["HAL9_DATA_KEYS"],
    }
    if deployment.connections:
        defaults["HAL9_POOL_SIZE"] = str(deployment.connections)
    given = {"HAL9_SHARDS": ",".join(addresses.shards), "HAL9_CACHE_URL": addresses.cache}
    data = {name: given[name] for name, need in _DATA.items() if need in function.needs or name in mine}
    kept = {name: value for name, value in passed.items() if name not in _WITHHELD}
    return {
        **plain(user, home),
        **defaults,
        **kept,
        **deployment.environment,
        **own,
        **data,
        "HAL9_HOME": str(home.path),
    }
