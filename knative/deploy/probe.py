"""Whether events are delivered on a cluster: one is sent through the Broker, and seen at the other end.

    found = await probe(cluster, seconds=45, progress=progress)
    for fault in found.faults: ...

Everything that Eventing has may say that it is ready while nothing is delivered, when one of its pods has lost what it
needs. So a Job (`functions.upkeep.probe`) sends an event, which goes the way of all others: through the Broker and
a Trigger to a function, which replies through the Broker. What did not come says which part of Eventing to restart.

Promises: nothing is left behind in the cluster or a database. Does not: mend anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from knative.deploy import applyset
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import BROKER, CONFIG_MAP, JOB, POD
from knative.deploy.preflight import EVENTING, Fault
from knative.deploy.waiting import until_ready
from knative.render import Target
from knative.render import probe as rendered
from shared.eventprobe import Report
from shared.randomness import SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.deploy.cluster import Cluster
    from knative.deploy.waiting import Progress, Unready
    from knative.render.target import Manifest

SECONDS: Final = 45
"""How long an event may take, the start of the function that takes it included."""

_CLASS: Final = "eventing.knative.dev/broker.class"
_KAFKA: Final = "Kafka"
_OLD_SECONDS: Final = 120.0
"""The sweep, which publishes what a relay left, comes every minute."""

_JOB_SECONDS: Final = 120.0
_ID_BYTES: Final = 16
_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class Parts:
    """The deployments of Eventing that an event passes, by the Broker's class."""

    ingress: str
    delivery: tuple[str, ...]


_PARTS: Final = {
    "channel": Parts("mt-broker-ingress", ("mt-broker-filter", "imc-dispatcher")),
    "kafka": Parts("kafka-broker-receiver", ("kafka-broker-dispatcher",)),
}


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it.

    Attributes:
        report: how far the event got, and what waits.
        faults: what is wrong, each with what to do; empty when events are delivered.
    """

    report: Report
    faults: tuple[Fault, ...] = ()


async def probe(cluster: Cluster, *, progress: Progress, seconds: int = SECONDS) -> Probed:
    """Send an event, and see how far it gets.

    Args:
        cluster: where HAL9 was deployed.
        progress: is told how it goes.
        seconds: how long it may take.

    Raises:
        ClusterError: Nothing was deployed, there is no Broker, or the Job could not run.
    """
    release = (await cluster.get(CONFIG_MAP, applyset.PARENT) or {}).get("data")
    broker = await cluster.get(BROKER, Target.broker_name)
    address = ((broker or {}).get("status") or {}).get("address") or {}
    if release is None or broker is None or not address.get("url"):
        raise ClusterError(f"No Broker with an address is in {cluster.namespace}: `hal9 deploy` makes one.")
    target = Target(
        release["region"], namespace=cluster.namespace, images=release["images"], version=release["version"]
    )
    name = SystemRandomness().bytes(_ID_BYTES).hex()
    manifest = rendered.job(name, seconds, address["url"], address.get("audience", ""), target)
    report = await _run(cluster, manifest, seconds + _JOB_SECONDS, progress)
    kafka = broker["metadata"].get("annotations", {}).get(_CLASS) == _KAFKA
    return Probed(report, tuple(faults(report, _PARTS["kafka" if kafka else "channel"], seconds)))


def faults(report: Report, parts: Parts, seconds: int) -> list[Fault]:
    """Say what is wrong, and what to restart.

    Args:
        report: how far the event got.
        parts: of Eventing, that it passed.
        seconds: for how long it was waited for.
    """
    found = []
    if "answered" not in report.seconds:
        found.append(_undelivered(report, parts, seconds))
    if report.outbox_oldest_seconds > _OLD_SECONDS:
        found.append(
            Fault(
                f"{report.outbox_pending} events wait in outboxes, the oldest for "
                f"{report.outbox_oldest_seconds:.0f} s: what relays left is not swept.",
                "Look at upkeep and its PingSource (`hal9 status`); then restart the clock: "
                f"{_restart('pingsource-mt-adapter')}",
            )
        )
    return found


def _undelivered(report: Report, parts: Parts, seconds: int) -> Fault:
    if report.refused:
        return Fault(
            f"The Broker did not take an event: {report.refused}.",
            "With 401 or 403, look at the EventPolicy `senders`; then restart what takes events: "
            f"{_restart(parts.ingress)}",
        )
    if report.undelivered:
        return Fault(
            f"The Broker took an event, and could not deliver it: {report.undelivered}.",
            f"When that is no answer of a function, restart what delivers: {_restart(*parts.delivery)}",
        )
    if "received" in report.seconds:
        return Fault(
            f"An event was delivered; the reply to it did not come within {seconds} s.",
            "Look at the EventPolicy `senders`; then restart what takes and delivers replies: "
            f"{_restart(*parts.delivery, parts.ingress)}",
        )
    given = "took an event" if "taken" in report.seconds else "was given an event"
    return Fault(
        f"The Broker {given}, and nobody got it within {seconds} s.",
        f"Restart what delivers, and try again with `hal9 status --probe`: {_restart(*parts.delivery)}",
    )


def _restart(*deployments: str) -> str:
    return f"kubectl -n {EVENTING} rollout restart deployment {' '.join(deployments)}"


async def _run(cluster: Cluster, manifest: Manifest, seconds: float, progress: Progress) -> Report:
    """Run the Job and take it away; give what it said."""
    name = manifest["metadata"]["name"]
    try:
        await cluster.apply(manifest)
        if failed := await until_ready(cluster, [manifest], seconds, progress):
            raise ClusterError(_why(failed))
        return _read(await _said(cluster, name))
    finally:
        await cluster.delete(JOB, name)


async def _said(cluster: Cluster, job: str) -> list[str]:
    pods = await cluster.listed(POD, f"batch.kubernetes.io/job-name={job}")
    return [line for pod in pods for line in await cluster.log(pod["metadata"]["name"], rendered.IMAGE, _LINES)]


def _read(lines: Sequence[str]) -> Report:
    try:
        document: dict[str, Any] = json.loads(lines[-1])
        return Report(**{one.name: document[one.name] for one in fields(Report)})
    except (IndexError, ValueError, KeyError, TypeError):
        raise ClusterError("The probe's Job ended, and its log cannot be read: try again.") from None


def _why(failed: Sequence[Unready]) -> str:
    lines = [line for one in failed for reason in one.pods for line in (reason.text, *reason.log)]
    return "\n".join([f"The probe's Job {failed[0].name} failed: {failed[0].reason}", *lines])
