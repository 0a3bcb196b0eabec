"""Where one organisation is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """The directory's row.

    Attributes:
        shard: the number of its shard, from 0.
        region: the region that its data stays in.
        epoch: rises by one with each move.
        tier: its subscription tier.
    """

    shard: int
    region: str
    epoch: int
    tier: str = "professional"


def encode(placement: Placement) -> bytes:
    """Give a placement as it is cached."""
    return f"{placement.shard} {placement.epoch} {placement.region} {placement.tier}".encode()


def decode(raw: bytes) -> Placement:
    """Read what `encode` wrote.

    Raises:
        ValueError: It is nothing of the kind.
    """
    shard, epoch, region, tier = raw.decode().split(" ")
    return Placement(int(shard), region, int(epoch), tier)
