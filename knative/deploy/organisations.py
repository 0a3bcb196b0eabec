"""Make an organisation on a cluster whose databases cannot be reached from here.

The key is made here and never leaves this machine: a Job of the image `migrations` is given its prefix and its hash,
which say nothing about it, and enters them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knative.deploy import applyset
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import CONFIG_MAP, JOB, POD, SERVICE
from knative.deploy.waiting import until_ready
from knative.render import Target
from knative.render.migrations import job
from shared import apikeys
from shared.keys import base64url
from shared.randomness import SystemRandomness
from shared.shards.organisations import organisation_id

if TYPE_CHECKING:
    from uuid import UUID

    from knative.deploy.cluster import Cluster
    from knative.deploy.waiting import Progress, Unready
    from knative.render.target import Manifest

WORKS_ALREADY: Final = 3
"""The exit code that says that an owner's key works."""

_GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Made:
    """An organisation that was made, or made whole.

    Attributes:
        slug: What it is called.
        org_id: Its id.
        region: Where its data stays.
        key: Its owner's, shown this once; None when one of its owner works already.
    """

    slug: str
    org_id: UUID
    region: str
    key: str | None


async def establish(cluster: Cluster, slug: str, region: str | None, *, seconds: float, progress: Progress) -> Made:
    """Make an organisation.

    Args:
        cluster: where HAL9 was deployed.
        slug: what it is to be called.
        region: where its data stays; None for the cluster's.
        seconds: how long to wait at most.
        progress: is told how it goes.

    Raises:
        ClusterError: Nothing was deployed, or the Job failed; the text says why.
    """
    release = (await cluster.get(CONFIG_MAP, applyset.PARENT) or {}).get("data")
    if release is None:
        raise ClusterError(f"Nothing of HAL9 was deployed to {cluster.namespace}: `hal9 deploy` does.")
    target = Target(
        release["region"], namespace=cluster.namespace, images=release["images"], version=release["version"]
    )
    new = apikeys.generate(SystemRandomness())
    arguments = ["--organisation", slug, "--region", region or target.region]
    manifest = job([*arguments, "--owner-key", f"{new.prefix}:{base64url.encode(new.secret_hash)}"], target)
    taken = await _run(cluster, manifest, seconds, progress)
    return Made(slug, organisation_id(slug), region or target.region, new.text if taken else None)


async def gateway_url(cluster: Cluster) -> str:
    """Give the public address.

    Raises:
        ClusterError: There is none yet.
    """
    found = await cluster.get(SERVICE, _GATEWAY)
    url: str = ((found or {}).get("status") or {}).get("url", "")
    if not url:
        raise ClusterError(f"The gateway in {cluster.namespace} has no address yet: see `hal9 status --context`.")
    return url


async def _run(cluster: Cluster, manifest: Manifest, seconds: float, progress: Progress) -> bool:
    """Run the Job and take it away; whether the key was taken."""
    name = manifest["metadata"]["name"]
    try:
        await cluster.apply(manifest)
        failed = await until_ready(cluster, [manifest], seconds, progress)
        if failed and not await _ended_with(cluster, name, WORKS_ALREADY):
            raise ClusterError(_why(failed[0]))
        return not failed
    finally:
        await cluster.delete(JOB, name)


async def _ended_with(cluster: Cluster, job_name: str, code: int) -> bool:
    pods = await cluster.listed(POD, f"batch.kubernetes.io/job-name={job_name}")
    statuses = (one for pod in pods for one in (pod.get("status") or {}).get("containerStatuses") or [])
    return any((one.get("state") or {}).get("terminated", {}).get("exitCode") == code for one in statuses)


def _why(failed: Unready) -> str:
    lines = [line for reason in failed.pods for line in (reason.text, *reason.log)]
    return "\n".join([f"The Job {failed.name} failed: {failed.reason}", *lines])
