"""Secrets, identities and trust: made in the cluster through its API, never in a manifest, a file or a log.

What is external comes from the environment of whoever deploys (HAL9_SHARDS, HAL9_SHARDS_ADMIN, HAL9_CACHE_URL, and what
the functions declare); what is there already is kept when the environment does not name it. Identities, and the
passwords of servers for trying out, are made once and kept. Promises: nothing is written before everything that is
needed was found; a value that stands is not written again, so that it keeps its version, by which revisions know that
it changed.
Does not: rotate, or delete.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knative.deploy.changes import Change
from knative.deploy.kinds import CONFIG_MAP, SECRET, kind_of
from knative.deploy.preflight import Fault
from knative.render import backups, data, identities
from knative.render.jobs import SHARDS_ADMIN
from knative.render.network import is_delivered_to
from knative.render.proofs import SECRET as SECRET_OF_BROKER
from knative.render.services import SETTINGS, secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.cluster import Cluster
    from knative.description import FunctionDescription
    from knative.render.target import Manifest, Target

_VALUE: Final = "value"
_DATA_KEYS: Final = "HAL9_DATA_KEYS"
_OF_SERVERS: Final = frozenset({"HAL9_SHARDS", "HAL9_SHARDS_ADMIN", "HAL9_BACKUP_SHARDS", "HAL9_CACHE_URL"})
"""What follows from the passwords of the servers for trying out."""

_PASSWORD_BYTES: Final = 24
_PROOF_BYTES: Final = 32
_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is to be written, and what is missing.

    Attributes:
        writes: manifests of Secrets and of the trust; empty when all is there as it must be.
        changes: the same, to be shown: no values.
        faults: what nobody gave.
        versions: of what is there: kind and name -> resourceVersion.
        proofs: by which deployments know the broker where OIDC is off, by deployment; else none.
    """

    writes: tuple[Manifest, ...] = field(repr=False)
    changes: tuple[Change, ...]
    faults: tuple[Fault, ...]
    versions: Mapping[str, str]
    proofs: Mapping[str, str] = field(repr=False)

    @property
    def written(self) -> tuple[str, ...]:
        """The names of the Secrets that will have another version."""
        return tuple(one["metadata"]["name"] for one in self.writes if one["kind"] == SECRET.name)


async def prepare(
    cluster: Cluster, functions: Sequence[FunctionDescription], target: Target, environment: Mapping[str, str]
) -> Secrets:
    """See what is there, and make what is not, without writing anything.

    Args:
        cluster: where.
        functions: all of them.
        target: what is to be applied.
        environment: of whoever deploys.
    """
    there = {one["metadata"]["name"]: one for one in await cluster.listed(SECRET)}
    wanted = _identities(functions, there)
    wanted |= _of_servers(there, target) if target.data is not None else {}
    wanted |= _given(functions, environment, target)
    proofs = {} if target.oidc else _proofs(functions, there, target)
    wanted |= {SECRET_OF_BROKER: proofs} if proofs else {}
    writes = [
        identities.secret(name, values, target)
        for name, values in sorted(wanted.items())
        if name not in there or identities.values_of(there[name]) != values
    ]
    trusted = await cluster.get(CONFIG_MAP, identities.TRUST)
    keys = [values[identities.KEY_FILE] for values in wanted.values() if identities.KEY_FILE in values]
    trust = identities.trust(keys, target)
    if trusted is None or trusted.get("data") != trust["data"]:
        writes.append(trust)
    settings = await cluster.get(CONFIG_MAP, SETTINGS)
    present = {*there, *({identities.TRUST} if trusted else ())}
    return Secrets(
        tuple(writes),
        tuple(_change(one, present) for one in writes),
        (*_missing(functions, {*there, *wanted}, target), *_of_files(functions, there, wanted, target)),
        {
            name: one["metadata"]["resourceVersion"]
            for name, one in (there | ({SETTINGS: settings} if settings else {})).items()
        },
        {name: value.decode("ascii") for name, value in proofs.items()},
    )


async def write(cluster: Cluster, prepared: Secrets) -> dict[str, str]:
    """Write what is to be written; give the versions of everything afterwards.

    The trust has none: functions read it again by themselves when it changes.
    """
    versions = dict(prepared.versions)
    for manifest in prepared.writes:
        applied = await cluster.apply(manifest)
        if manifest["kind"] == SECRET.name:
            versions[manifest["metadata"]["name"]] = applied.object["metadata"]["resourceVersion"]
    return versions


def stamp(pod: Manifest, versions: Mapping[str, str]) -> str:
    """Give a short digest of the versions of all Secrets and settings that a pod's spec names.

    It stands in a revision's annotations, so that another value makes another revision.
    """
    text = json.dumps(pod)
    named = sorted(f"{name}={version}" for name, version in versions.items() if f'"{name}"' in text)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:_DIGITS]


def _identities(functions: Iterable[FunctionDescription], there: Mapping[str, Manifest]) -> dict[str, dict[str, bytes]]:
    """Give every function a key of its own, the one that it has when it has one."""
    found = {}
    for function in functions:
        name = identities.secret_of(function)
        kept = identities.values_of(there[name]).get(identities.KEY_FILE) if name in there else None
        found[name] = {identities.KEY_FILE: kept or identities.new_key(function)}
    return found


def _proofs(
    functions: Iterable[FunctionDescription], there: Mapping[str, Manifest], target: Target
) -> dict[str, bytes]:
    """Give every deployment that the broker delivers to a secret of its own, the one that it has when it has one."""
    kept = identities.values_of(there[SECRET_OF_BROKER]) if SECRET_OF_BROKER in there else {}
    deployments = [part for function in functions for part in function.deployments(target.environment)]
    return {
        one.name: kept.get(one.name) or secrets.token_urlsafe(_PROOF_BYTES).encode()
        for one in deployments
        if is_delivered_to(one)
    }


def _of_servers(there: Mapping[str, Manifest], target: Target) -> dict[str, dict[str, bytes]]:
    """Give the passwords of the servers for trying out, and the addresses that they make."""
    kept = identities.values_of(there[data.PASSWORDS]) if data.PASSWORDS in there else {}
    names = dict.fromkeys(("owner", "app", "cache", *(("backup",) if target.backups else ()), *kept))
    passwords = {name: kept.get(name) or secrets.token_urlsafe(_PASSWORD_BYTES).encode() for name in names}
    text = {name: value.decode("ascii") for name, value in passwords.items()}

    def shards(role: str) -> bytes:
        addresses = (
            data.shard_address(shard, f"hal9_{role}", text[role], target.namespace) for shard in range(data.SHARDS)
        )
        return ",".join(addresses).encode()

    return {
        data.PASSWORDS: passwords,
        secret_name("HAL9_SHARDS"): {_VALUE: shards("app")},
        SHARDS_ADMIN: {_VALUE: shards("owner")},
        **({secret_name("HAL9_BACKUP_SHARDS"): {_VALUE: shards("backup")}} if target.backups else {}),
        secret_name("HAL9_CACHE_URL"): {_VALUE: data.cache_address(text["cache"], target.namespace).encode()},
    }


def _given(
    functions: Iterable[FunctionDescription], environment: Mapping[str, str], target: Target
) -> dict[str, dict[str, bytes]]:
    """Give what the environment names; with servers of its own a deployment's addresses are those."""
    names = {secret.env for function in functions for secret in function.secrets} | _of_pods(target)
    own = _OF_SERVERS if target.data is not None else frozenset()
    return {secret_name(name): {_VALUE: environment[name].encode()} for name in names - own if environment.get(name)}


def _of_pods(target: Target) -> set[str]:
    """Give what is needed beside the functions: by Jobs, and by the archiver."""
    return {"HAL9_SHARDS_ADMIN", *(backups.SECRETS if target.backups else ())}


def _missing(functions: Iterable[FunctionDescription], known: set[str], target: Target) -> list[Fault]:
    needed = {secret.env for function in functions for secret in function.secrets if not secret.optional}
    return [
        Fault(
            f"The Secret {secret_name(name)} is missing.",
            f"Set {name} in the environment of this command, or make it: kubectl -n {target.namespace} create secret "
            f"generic {secret_name(name)} --from-literal=value=…",
        )
        for name in sorted(needed | _of_pods(target))
        if secret_name(name) not in known
    ]


def _of_files(
    functions: Iterable[FunctionDescription], there: Mapping[str, Manifest], wanted: Mapping[str, Mapping[str, bytes]],
    target: Target,
) -> list[Fault]:  # fmt: skip
    """Refuse master keys in files: each pod would make its own, and nobody could read what another has sealed."""
    name = secret_name(_DATA_KEYS)
    if _DATA_KEYS not in {secret.env for function in functions for secret in function.secrets} | _of_pods(target):
        return []
    values = wanted.get(name) or (identities.values_of(there[name]) if name in there else {})
    if not values or values.get(_VALUE, b"").startswith(b"kms:"):
        return []
    what = f"{_DATA_KEYS} (Secret {name}) names no keys of KMS, and pods share no files."
    return [Fault(what, f"Set {_DATA_KEYS} to kms:REGION=ARN,REGION=ARN, and {_DATA_KEYS}_MAC likewise.")]


def _change(manifest: Manifest, there: set[str]) -> Change:
    name = manifest["metadata"]["name"]
    return Change("change" if name in there else "create", kind_of(manifest).title, name)
