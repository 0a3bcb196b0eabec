"""The slot map: 16384 slots, as Redis Cluster has, which give a new organisation its shard.

Slot = CRC16/XMODEM of the organisation's 16 bytes, mod 16384 (Redis Cluster specification, "Key distribution model").
Promises: a look-up costs less than 300 ns; adding a shard moves only the slots that the new one takes. Does not: say
where an organisation *is* - the directory does; organisations move, and are pinned.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

SLOTS: Final = 16384
_MASK: Final = SLOTS - 1


def slot(org_id: UUID) -> int:
    """The organisation's slot, 0 to 16383."""
    return crc_hqx(org_id.bytes, 0) & _MASK


class SlotMap:
    """Which shard owns each slot.

    Args:
        owners: 16384 bytes, the shard's number for each slot.

    Raises:
        ValueError: not 16384 bytes.
    """

    __slots__ = ("owners",)

    def __init__(self, owners: bytes) -> None:
        if len(owners) != SLOTS:
            raise ValueError(f"a slot map has {SLOTS} owners, not {len(owners)}")
        self.owners = owners

    @classmethod
    def even(cls, shards: int) -> SlotMap:
        """Contiguous ranges of (nearly) equal size."""
        if not 1 <= shards <= 256:
            raise ValueError(f"1 to 256 shards, not {shards}")
        return cls(bytes(number * shards // SLOTS for number in range(SLOTS)))

    def shard(self, org_id: UUID) -> int:
        """The shard that a new organisation belongs on."""
        return self.owners[crc_hqx(org_id.bytes, 0) & _MASK]

    def counts(self) -> dict[int, int]:
        """How many slots each shard owns."""
        return {shard: self.owners.count(shard) for shard in sorted(set(self.owners))}

    def grown(self, shard: int) -> SlotMap:
        """The map after a new shard took its even share, from each of the others in proportion; nothing else moves."""
        counts = self.counts()
        if shard in counts:
            raise ValueError(f"shard {shard} owns slots already")
        share = SLOTS // (len(counts) + 1)
        # Largest remainder: what each gives up adds up to the share exactly.
        gives = {owner: share * count // SLOTS for owner, count in counts.items()}
        for owner in sorted(counts, key=lambda key: -(share * counts[key] % SLOTS))[: share - sum(gives.values())]:
            gives[owner] += 1
        owners = bytearray(self.owners)
        for number in range(SLOTS):
            if gives.get(owners[number], 0) > 0:
                gives[owners[number]] -= 1
                owners[number] = shard
        return SlotMap(bytes(owners))

    def without(self, shard: int, others: Sequence[int]) -> SlotMap:
        """The map after a shard gave its slots to others, each time to the one that has least; nothing else moves."""
        if not others or shard in others:
            raise ValueError(f"the slots of shard {shard} need other shards to go to")
        counts = {owner: self.owners.count(owner) for owner in others}
        owners = bytearray(self.owners)
        for number in range(SLOTS):
            if owners[number] == shard:
                owners[number] = least = min(counts, key=lambda owner: (counts[owner], owner))
                counts[least] += 1
        return SlotMap(bytes(owners))
