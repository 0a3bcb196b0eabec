"""One service rolled out as a deployment does it with all of them; also as a program of its own, to be killed."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from knative.deploy.canary import Canary, RollOut, Trial, clear, roll_out, settled
from knative.deploy.cluster import connect
from knative.deploy.waiting import until_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.deploy.cluster import Cluster
    from knative.render import Manifest

SECONDS = 90


class Told:
    """What whoever deploys was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def ready(self, kind: str, name: str) -> None:
        pass

    def waiting(self, left: Mapping[str, str]) -> None:
        pass

    def holding(self, trials: Sequence[Trial], percent: int, seconds_left: float) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


async def release(
    cluster: Cluster, manifest: Manifest, trial: Canary | None = None, told: Told | None = None
) -> RollOut:
    """Do with one service what a deployment does with all of them."""
    told = told or Told()
    await clear(cluster, [manifest], SECONDS, told)
    found = RollOut(0) if trial is None else await roll_out(cluster, [manifest], trial, SECONDS, told)
    if found.good:
        await cluster.apply((await settled(cluster, [manifest]))[0])
        assert await until_ready(cluster, [manifest], SECONDS, told) == []
    return found


class Saying(Told):
    """Says when the new version has its share."""

    def holding(self, trials: Sequence[Trial], percent: int, seconds_left: float) -> None:
        print("holding", flush=True)  # noqa: T201 - what the test waits for


async def begin(namespace: str, manifest: Manifest) -> None:
    """Begin a roll-out that goes on for an hour."""
    async with connect(None, namespace) as cluster:
        await clear(cluster, [manifest], SECONDS, Saying())
        await roll_out(cluster, [manifest], Canary(20, 3600), SECONDS, Saying())


if __name__ == "__main__":
    asyncio.run(begin(sys.argv[1], json.loads(sys.stdin.readline())))
