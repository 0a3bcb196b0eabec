"""The Job that tries whether events are delivered, and what it needs to be let do so.

The Job itself is in no rendering: `hal9 deploy` and `hal9 status --probe` make it, read what it says, and take it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knative.render import jobs, network, proofs
from knative.render.pods import account

if TYPE_CHECKING:
    from knative.render.target import Manifest, Target

NAME: Final = "hal9-probe"
"""Of its account, which may send to the Broker, and of what its pods are called."""

IMAGE: Final = "upkeep"
"""The image whose program it runs, and its container's name."""

LABELS: Final = {"app.kubernetes.io/name": NAME}
_TOKEN: Final = "/var/run/hal9/broker"  # noqa: S105 - where it is
_STARTING_SECONDS: Final = 120


def manifests(target: Target) -> list[Manifest]:
    """Give its account, and the policy that lets it reach the databases and the Broker."""
    return [account(NAME, target), network.of_job(NAME, LABELS, target, broker=True)]


def job(name: str, seconds: int, broker_url: str, audience: str, target: Target) -> Manifest:
    """Give the Job.

    Args:
        name: the probe's id, 32 hexadecimal digits.
        seconds: how long it waits for the event at most.
        broker_url: where events are sent, as the Broker's status says it.
        audience: whom tokens for the Broker are for, likewise; empty where it wants none.
        target: for which cluster.
    """
    given = {"HAL9_BROKER_URL": broker_url, **({"HAL9_BROKER_TOKEN": f"{_TOKEN}/token"} if audience else {})}
    work = jobs.Work(
        NAME,
        image=IMAGE,
        command=("python3", "-m", "functions.upkeep.probe"),
        arguments=("--id", name, "--region", target.region, "--seconds", str(seconds)),
        variables=given,
        volumes=((proofs.token_volume(audience), _TOKEN),) if audience else (),
        again=0,
        seconds=seconds + _STARTING_SECONDS,
    )
    return jobs.job(work, target)
