"""How the broker proves itself in a cluster: whose tokens a function takes, and what it needs to verify them.

With OIDC on, Eventing gives each Trigger and PingSource an account of its own, with a name that can be computed, and
its dispatchers send that account's token with what they deliver. A function takes events from the accounts of just
those Triggers and PingSources that deliver to it; the dead-letter sink takes dead letters from every Trigger's, since
Eventing sends a dead letter, the Broker's own delivery included, as the Trigger that it failed for.

With OIDC off the dispatchers send no credentials at all, so that a secret can only lie in the address that they deliver
to. It is in no manifest that is rendered: `with_secrets` puts it in on the way to the cluster's API. The reasons are in
docs/decisions/0011.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from knative.render.pods import secret_variable
from shared.function.brokerproof import SECRET_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knative.description import Deployment
    from knative.render.target import Manifest, Target

SECRET: Final = "hal9-broker-proof"  # noqa: S105 - its name
"""The Secret with what lies in the addresses where OIDC is off: one key for each deployment that is delivered to."""

TOKEN_SECONDS: Final = 3600
"""How long a projected token lives; the kubelet renews it at four fifths of that."""

_LONGEST_NAME: Final = 63
_DIGEST: Final = 32
_PARENT: Final = _LONGEST_NAME - _DIGEST
_KUBERNETES: Final = "/var/run/hal9/kubernetes"
_BROKER: Final = "/var/run/hal9/broker"


@dataclass(frozen=True, slots=True)
class Deliverers:
    """The accounts that may deliver to a deployment, as subjects of tokens.

    Attributes:
        events: of events.
        dead_letters: of dead letters.
    """

    events: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.events or self.dead_letters)


def deliverers(
    deployment: Deployment, deployments: Sequence[Deployment], sink: Deployment, target: Target
) -> Deliverers:
    """Name the accounts that may deliver to a deployment.

    Args:
        deployment: which.
        deployments: all of them.
        sink: the one that takes dead letters.
        target: for which cluster.
    """
    everyone = deployments if deployment.name == sink.name else ()
    return Deliverers(
        (*_triggers(deployment, target), *_ping_sources(deployment, target)),
        tuple(subject for one in everyone for subject in _triggers(one, target)),
    )


def trigger_name(deployment: Deployment, subscription: str) -> str:
    """Name a Trigger after what it delivers to and why."""
    return f"{deployment.name}-{subscription}"


def ping_source_name(deployment: Deployment, schedule: str) -> str:
    """Name a PingSource after what it delivers to and why."""
    return f"{deployment.name}-{schedule}"


def trigger_account(name: str) -> str:
    """Name the account that Eventing gives a Trigger."""
    return account(name, "eventing.knative.dev", "Trigger")


def ping_source_account(name: str) -> str:
    """Name the account that Eventing gives a PingSource."""
    return account(name, "sources.knative.dev", "PingSource")


def account(name: str, group: str, kind: str) -> str:
    """Name the account that Eventing gives an object of its own, as GetOIDCServiceAccountNameForResource does.

    That is kmeta.ChildName of the name and a suffix, in lower case: both, where they are no longer than 63 characters
    together; else the name's first 31, the MD5 of both, and as much of the suffix as there is room for.
    """
    suffix = f"-oidc-{group}-{kind}"
    if len(name) + len(suffix) <= _LONGEST_NAME:
        return (name + suffix).lower()
    digest = hashlib.md5((name + suffix).encode(), usedforsecurity=False).hexdigest()
    whole = name[:_PARENT] + digest
    return (whole + suffix[: _LONGEST_NAME - len(whole)]).rstrip("-.").lower()


def broker_audience(target: Target) -> str:
    """Name whom tokens for the Broker are for, as Eventing says it in the Broker's `status.address.audience`."""
    return f"eventing.knative.dev/broker/{target.namespace}/{target.broker_name}".lower()


def _triggers(deployment: Deployment, target: Target) -> list[str]:
    names = [trigger_name(deployment, one.name) for one in deployment.subscriptions]
    return [_subject(trigger_account(name), target) for name in names]


def _ping_sources(deployment: Deployment, target: Target) -> list[str]:
    names = [ping_source_name(deployment, one.name) for one in deployment.schedules]
    return [_subject(ping_source_account(name), target) for name in names]


def _subject(name: str, target: Target) -> str:
    return f"system:serviceaccount:{target.namespace}:{name}"


def variables(deployment: Deployment, allowed: Deliverers, target: Target) -> list[dict[str, Any]]:
    """Give the variables by which a function verifies the broker's proof and sends its own."""
    values = {}
    if _sends(deployment) and target.oidc:
        values["HAL9_BROKER_TOKEN"] = f"{_BROKER}/token"
    if allowed and target.oidc:
        values |= {
            "HAL9_BROKER_PROOF": "oidc",
            "HAL9_BROKER_SUBJECTS": ",".join(allowed.events),
            "HAL9_DEAD_LETTER_SUBJECTS": ",".join(allowed.dead_letters),
            "HAL9_KUBERNETES_TOKEN": f"{_KUBERNETES}/token",
            "HAL9_KUBERNETES_CA": f"{_KUBERNETES}/ca.crt",
        }
    plain = [{"name": name, "value": value} for name, value in sorted(values.items()) if value]
    if not allowed or target.oidc:
        return plain
    return [
        {"name": "HAL9_BROKER_PROOF", "value": "secret"},
        secret_variable("HAL9_BROKER_SECRET", SECRET, deployment.name),
    ]


def volumes(deployment: Deployment, allowed: Deliverers, target: Target) -> list[dict[str, Any]]:
    """Give the projected volumes: the token for the Broker; the token and the authority for the cluster's keys."""
    found = []
    if _sends(deployment) and target.oidc:
        found.append(token_volume(broker_audience(target)))
    if allowed and target.oidc:
        authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
        found.append(_projected("kubernetes", [_token(), authority]))
    return found


def token_volume(audience: str) -> dict[str, Any]:
    """Give the volume with the file `token`: the pod's own account's, for the Broker."""
    return _projected("broker-token", [_token(audience=audience)])


def mounts(deployment: Deployment, allowed: Deliverers, target: Target) -> list[dict[str, Any]]:
    """Give where those volumes are mounted."""
    paths = {"broker-token": _BROKER, "kubernetes": _KUBERNETES}
    return [
        {"name": volume["name"], "mountPath": paths[volume["name"]], "readOnly": True}
        for volume in volumes(deployment, allowed, target)
    ]


def _sends(deployment: Deployment) -> bool:
    return "broker" in deployment.function.egress.functions


def _token(**audience: str) -> dict[str, Any]:
    return {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS, **audience}}


def _projected(name: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "projected": {"defaultMode": 0o440, "sources": sources}}


def with_secrets(manifest: Manifest, secrets: Mapping[str, str]) -> Manifest:
    """Give a Broker, Trigger or PingSource with the secrets in the addresses that it delivers to; others as they are.

    Args:
        manifest: as `render` gives it for a target without OIDC.
        secrets: of the deployments that are delivered to, by name: the keys of `SECRET`.

    Raises:
        KeyError: a deployment has no secret.
    """
    filled = copy.deepcopy(manifest)
    for destination in _destinations(filled):
        secret = secrets[destination["ref"]["name"]]
        destination["uri"] = f"{destination['uri'].partition('?')[0]}?{SECRET_QUERY}={quote(secret, safe='')}"
    return filled


def _destinations(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Find the destinations of an Eventing object that are functions."""
    if manifest["kind"] not in {"Broker", "Trigger", "PingSource"}:
        return
    spec = manifest["spec"]
    found = (spec.get("subscriber"), spec.get("sink"), spec.get("delivery", {}).get("deadLetterSink"))
    yield from (one for one in found if one is not None and one["ref"]["kind"] == "Service")
