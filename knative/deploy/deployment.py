"""One deployment, from the first check to the last object that is ready.

    prepared = await prepare(cluster, functions, target, os.environ)
    outcome = await deploy(cluster, prepared, seconds=600, progress=progress)

The order: namespace, Secrets and trust, servers for trying out (those that are there and must restart one after the
other, see `dataservers`), migrations, the trial of new versions where one is asked for (`canary`), then everything
else, and when all of it is ready what is rendered no longer is deleted; at the end an event is sent from one end to the
other (`probe`), since what is ready may deliver nothing. Nothing is written while `prepared.faults`
names any. When the migrations fail, or the new version is rolled back, nothing after that was applied. Whoever stops in
between leaves what was applied; the next deployment goes on from there.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from knative.deploy import accounts, applyset, canary, dataservers, preflight, secrets, surroundings, traffic
from knative.deploy import probe as events
from knative.deploy.changes import Change
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import APPLIED, CONFIG_MAP, JOB, NAMESPACE, POD, SERVICE, STATEFUL_SET, WORKLOAD, kind_of
from knative.deploy.planning import Plan, plan
from knative.deploy.preflight import Fault
from knative.deploy.readiness import readiness
from knative.deploy.waiting import ON_SERVICES, Unready, until_gone, until_ready
from knative.render import BEFORE, MIGRATIONS, render
from knative.render.proofs import with_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.canary import Canary, RollOut, Watcher
    from knative.deploy.cluster import Cluster
    from knative.deploy.dataservers import Kept
    from knative.deploy.probe import Probed
    from knative.deploy.secrets import Secrets
    from knative.description import FunctionDescription
    from knative.render.target import Manifest, Target

VERSIONS: Final = "hal9.ai/secrets"
"""The annotation of a revision that changes with the Secrets that it reads."""

_AT_ONCE: Final = 8
_TO_COME: Final = "to come"
_POSTGRES: Final = "app.kubernetes.io/name=hal9-postgres"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A deployment that was looked at from all sides, and not begun.

    Attributes:
        target: what is to be applied, and where.
        files: the manifests, by file.
        secrets: what is to be written of Secrets.
        plan: what would change.
        faults: what stands in the way: with any of them nothing may be written.
        erased: the servers for trying out whose data goes.
        kept: those that keep their image, though this release brings another one.
        servers: the StatefulSets as they stand, by name.
    """

    target: Target
    files: Mapping[str, Sequence[Manifest]] = field(repr=False)
    secrets: Secrets | None
    plan: Plan | None
    faults: tuple[Fault, ...]
    erased: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    servers: Mapping[str, Manifest] = field(default_factory=dict, repr=False)

    @property
    def restarting(self) -> Mapping[str, Sequence[str]]:
        """The servers for trying out that are restarted, with the fields that do it."""
        return dataservers.restarting(self.plan.changes if self.plan else ())

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would be made, changed or deleted, in its order."""
        return (*(self.secrets.changes if self.secrets else ()), *(self.plan.changes if self.plan else ()))

    @property
    def unchanged(self) -> bool:
        """Whether the cluster is as it is to be."""
        return all(one.action == "unchanged" for one in self.changes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        unready: what did not become ready, with the reasons.
        pruned: what was deleted.
        stage: where it stopped: `data`, `migrations`, `canary`, `functions` or `events`; empty when all is ready.
        roll_out: how the new version was tried; None when it was not.
        probed: whether events are delivered; None when it was not tried.
    """

    unready: tuple[Unready, ...] = ()
    pruned: tuple[Change, ...] = ()
    stage: str = ""
    roll_out: RollOut | None = None
    probed: Probed | None = None


async def prepare(
    cluster: Cluster,
    functions: Sequence[FunctionDescription],
    target: Target,
    environment: Mapping[str, str],
    *,
    canary: bool = False,
    update_data: bool = False,
    erase_data: bool = False,
) -> Prepared:
    """Check the cluster, and find out what would change; write nothing.

    Args:
        cluster: where to.
        functions: all of them.
        target: what differs from one cluster to the next.
        environment: of whoever deploys: values of Secrets.
        canary: whether new versions are to be tried first.
        update_data: whether servers that serve get the images of this release.
        erase_data: the same, and servers whose data goes with their pods may be restarted.
    """
    target = await surroundings.found(cluster, target)
    files = render(functions, target)
    faults = await preflight.check(cluster, target, canary=canary)
    prepared = await _secrets(cluster, functions, target, environment, faults)
    if prepared is None or faults:
        return Prepared(target, files, prepared, None, tuple(faults))
    servers = await dataservers.there(cluster) if target.data is not None else {}
    files, kept = dataservers.as_they_run(files, servers, images=not (update_data or erase_data))
    members = _members(files, target, _expected(prepared), prepared.proofs)
    known = {STATEFUL_SET: servers} if target.data is not None else {}
    planned = await plan(cluster, await _settled(cluster, members), known)
    refused = [Fault(text, "Nothing of HAL9's release should be refused: report it.") for text in planned.faults]
    erased = await dataservers.losing(cluster, planned.changes, members)
    if not erase_data:
        refused += [_erasure(name, fields) for name, fields in erased.items()]
    return Prepared(target, files, prepared, planned, tuple(refused), tuple(erased), kept, servers)


def _erasure(name: str, fields: Sequence[str]) -> Fault:
    return Fault(
        f"StatefulSet {name} would be restarted ({', '.join(fields)}), and its storage is emptydir: this erases its "
        "data.",
        "Give --erase-data when that may be; else leave these settings as they are.",
    )


async def _secrets(
    cluster: Cluster,
    functions: Sequence[FunctionDescription],
    target: Target,
    environment: Mapping[str, str],
    faults: list[Fault],
) -> Secrets | None:
    """Look at the Secrets; None where we may not, of which `faults` speaks already."""
    try:
        found = await secrets.prepare(cluster, functions, target, environment)
    except ClusterError as error:
        if not faults:
            raise
        del error
        return None
    faults += found.faults
    return found


async def deploy(
    cluster: Cluster,
    prepared: Prepared,
    *,
    seconds: float,
    progress: Watcher,
    trial: Canary | None = None,
    probe: bool = True,
) -> Outcome:
    """Apply what was prepared, and wait until it is ready.

    Args:
        cluster: where to.
        prepared: without faults.
        seconds: how long to wait at most, for the servers, the migrations and the functions each.
        progress: is told how it goes.
        trial: how new versions are tried first; None sends them all requests as soon as they are ready.
        probe: whether an event is sent through the Broker at the end, where anything changed.

    Raises:
        ClusterError: The server refused something, or went away.
    """
    if prepared.secrets is None or prepared.faults:
        raise ValueError("a deployment with faults is not begun")
    target, files = prepared.target, prepared.files
    await _make_namespace(cluster, files)
    versions = await secrets.write(cluster, prepared.secrets)
    wanted = _members(files, target, versions, prepared.secrets.proofs)
    await _judge_again(cluster, prepared, wanted)
    ran = await cluster.get(CONFIG_MAP, applyset.PARENT)
    await cluster.apply(applyset.parent({*await applyset.contained(cluster), *applyset.kinds_of(wanted)}, target))
    if unready := await _data(cluster, prepared, _of(files, BEFORE, wanted), seconds, progress):
        await _say_what_runs(cluster, ran)
        return Outcome(tuple(unready), stage="data")
    migrations = _of(files, (MIGRATIONS,), wanted)
    await _clear(cluster, migrations)
    await _apply(cluster, migrations)
    if unready := await until_ready(cluster, migrations, seconds, progress):
        await _say_what_runs(cluster, ran)
        return Outcome(tuple(unready), stage="migrations")
    functions = _of(files, [name for name in files if name not in {*BEFORE, MIGRATIONS}], wanted)
    await canary.clear(cluster, _services(functions), seconds, progress)
    tried = await _try(cluster, functions, trial, seconds, progress) if trial is not None else None
    if tried is not None and not tried.good:
        await _say_what_runs(cluster, ran)
        return Outcome(tried.unready, stage="canary", roll_out=tried)
    unready = await _functions(cluster, await _settled(cluster, functions), seconds, progress)
    if not unready and target.oidc:
        unready = await accounts.misnamed(cluster, wanted)
    if unready:
        return Outcome(tuple(unready), stage="functions", roll_out=tried)
    pruned = tuple(await _prune(cluster, wanted, target))
    if not probe or prepared.unchanged:
        return Outcome(pruned=pruned, roll_out=tried)
    probed = await events.probe(cluster, progress=progress)
    return Outcome(pruned=pruned, stage="events" if probed.faults else "", roll_out=tried, probed=probed)


async def _data(
    cluster: Cluster, prepared: Prepared, manifests: Sequence[Manifest], seconds: float, progress: Watcher
) -> list[Unready]:
    """Apply the servers for trying out: new ones together, then those that must restart in their turn."""
    late = [one for one in manifests if kind_of(one) == STATEFUL_SET and one["metadata"]["name"] in prepared.restarting]
    first = [one for one in manifests if one not in late]
    await _apply(cluster, first)
    unready = await until_ready(cluster, first, seconds, progress)
    return unready or await dataservers.replace(cluster, late, prepared.servers, seconds, progress)


async def _functions(
    cluster: Cluster, manifests: Sequence[Manifest], seconds: float, progress: Watcher
) -> list[Unready]:
    """Apply services before what delivers to them: Eventing looks again after ever longer pauses."""
    late = [one for one in manifests if kind_of(one) in ON_SERVICES]
    for part in ([one for one in manifests if one not in late], late):
        await _apply(cluster, part)
        unready = await until_ready(cluster, part, seconds, progress)
        if unready and await canary.started_anew(cluster, _services(part), unready, progress):
            unready = await until_ready(cluster, part, seconds, progress)
        if unready:
            return unready
    return []


async def _try(
    cluster: Cluster, functions: Sequence[Manifest], trial: Canary, seconds: float, progress: Watcher
) -> RollOut:
    """Try the new versions, with what they need: triggers come after, for the old ones do not know the new events."""
    first = APPLIED[: APPLIED.index(SERVICE)]
    await _apply(cluster, [one for one in functions if kind_of(one) in first])
    return await canary.roll_out(cluster, _services(functions), trial, seconds, progress)


async def _say_what_runs(cluster: Cluster, ran: Manifest | None) -> None:
    """Have the set's parent name the release that runs on; it keeps the kinds of both."""
    now = await cluster.get(CONFIG_MAP, applyset.PARENT)
    if ran is None or now is None:
        return
    kept = {name: now["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
    await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": ran["data"]})


async def _settled(cluster: Cluster, manifests: Sequence[Manifest]) -> list[Manifest]:
    services = await canary.settled(cluster, _services(manifests))
    return [*(one for one in manifests if kind_of(one) != SERVICE), *services]


def _services(manifests: Iterable[Manifest]) -> list[Manifest]:
    return [one for one in manifests if kind_of(one) == SERVICE]


def _members(
    files: Mapping[str, Sequence[Manifest]], target: Target, versions: Mapping[str, str], proofs: Mapping[str, str]
) -> list[Manifest]:
    """Give every manifest as it is applied.

    It becomes a member of what HAL9 made here, has its Secrets' versions, and the broker's secrets in the addresses
    where the broker has no other proof.
    """
    rendered = chain.from_iterable(files.values())
    proven = rendered if target.oidc else (with_secrets(one, proofs) for one in rendered)
    manifests = [applyset.member(_stamped(one, versions), target.namespace) for one in proven]
    return [*manifests, applyset.parent(applyset.kinds_of(manifests), target)]


def _stamped(manifest: Manifest, versions: Mapping[str, str]) -> Manifest:
    if kind_of(manifest) not in {SERVICE, WORKLOAD}:
        return manifest
    stamped = copy.deepcopy(manifest)
    template = stamped["spec"]["template"]
    template["metadata"]["annotations"][VERSIONS] = secrets.stamp(template["spec"], versions)
    return traffic.named(stamped) if kind_of(manifest) == SERVICE else stamped


def _expected(prepared: Secrets) -> dict[str, str]:
    """Give the versions as they will be, as far as that can be known."""
    return {**prepared.versions, **dict.fromkeys(prepared.written, _TO_COME)}


def _of(files: Mapping[str, Sequence[Manifest]], names: Iterable[str], wanted: Sequence[Manifest]) -> list[Manifest]:
    """Give the manifests of some files, as they are applied."""
    named = {_identity(one) for name in names for one in files.get(name, ())}
    return [one for one in wanted if _identity(one) in named]


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


async def _make_namespace(cluster: Cluster, files: Mapping[str, Sequence[Manifest]]) -> None:
    for manifest in chain.from_iterable(files.values()):
        if kind_of(manifest) == NAMESPACE:
            await cluster.apply(manifest)


async def _judge_again(cluster: Cluster, prepared: Prepared, wanted: Sequence[Manifest]) -> None:
    """Have the server look at everything, where it could not before because the namespace was not there."""
    if prepared.plan is not None and prepared.plan.checked:
        return
    if faults := (await plan(cluster, wanted)).faults:
        raise ClusterError("The server refuses manifests:\n" + "\n".join(faults))


async def _apply(cluster: Cluster, manifests: Sequence[Manifest]) -> None:
    """Apply, one kind after the other in the order in which they need each other."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(manifest: Manifest) -> None:
        async with turn:
            await cluster.apply(manifest)

    for kind in APPLIED:
        await asyncio.gather(*(one(manifest) for manifest in manifests if kind_of(manifest) == kind))


async def _clear(cluster: Cluster, manifests: Sequence[Manifest]) -> None:
    """Delete a Job that must run again: it failed, or its databases have begun anew since."""
    name = next(one["metadata"]["name"] for one in manifests if kind_of(one) == JOB)
    job = await cluster.get(JOB, name)
    if job is None:
        return
    state = readiness(job).state
    if state == "waiting" or (state == "ready" and not await _begun_since(cluster, job["status"]["completionTime"])):
        return
    await cluster.delete(JOB, name, uid=job["metadata"]["uid"])
    await until_gone(cluster, JOB, name)


async def _begun_since(cluster: Cluster, moment: str) -> bool:
    """Whether a database of the namespace was started later (times are RFC 3339 in UTC, so that text compares)."""
    pods = await cluster.listed(POD, _POSTGRES)
    return any((pod.get("status") or {}).get("startTime", "") > moment for pod in pods)


async def _prune(cluster: Cluster, wanted: Sequence[Manifest], target: Target) -> list[Change]:
    """Delete what HAL9 once made and renders no longer; then the set is what was rendered."""
    kinds = {*await applyset.contained(cluster), *applyset.kinds_of(wanted)}
    gone = []
    for one in applyset.obsolete(await applyset.members(cluster, kinds), wanted):
        name = one["metadata"]["name"]
        if await cluster.delete(kind_of(one), name, uid=one["metadata"]["uid"]):
            gone.append(Change("delete", kind_of(one).title, name))
    await cluster.apply(applyset.parent(applyset.kinds_of(wanted), target))
    return gone
