"""The slot map: Redis Cluster's hash, even ranges, and growth that moves no more than it must."""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import new_id
from shared.shards import SLOTS, SlotMap, slot


def test_the_checksum_is_that_of_redis_cluster() -> None:
    # The specification's own test vector: CRC16("123456789") = 31C3.
    assert crc_hqx(b"123456789", 0) == 0x31C3


@given(st.uuids())
def test_a_slot_is_the_checksum_of_the_bytes(org_id: UUID) -> None:
    assert slot(org_id) == crc_hqx(org_id.bytes, 0) % SLOTS
    assert 0 <= slot(org_id) < SLOTS


@given(shards=st.integers(1, 256), org_id=st.uuids())
def test_an_even_map_gives_each_shard_its_share(shards: int, org_id: UUID) -> None:
    slots = SlotMap.even(shards)
    counts = slots.counts()
    assert set(counts) == set(range(shards))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert slots.shard(org_id) == slots.owners[slot(org_id)]


@given(shards=st.integers(1, 20), more=st.integers(1, 4))
def test_growth_moves_only_what_the_new_shard_takes(shards: int, more: int) -> None:
    slots = SlotMap.even(shards)
    for number in range(shards, shards + more):
        grown = slots.grown(number)
        moved = [new for old, new in zip(slots.owners, grown.owners, strict=True) if old != new]
        assert set(moved) == {number}
        assert len(moved) == SLOTS // (number + 1)
        counts = grown.counts()
        assert sum(counts.values()) == SLOTS
        assert max(counts.values()) - min(counts.values()) <= number + 1
        slots = grown


def test_new_organisations_spread_evenly() -> None:
    slots = SlotMap.even(3)
    counts = Counter(slots.shard(new_id()) for _ in range(30_000))
    assert max(counts.values()) / 10_000 < 1.05


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="16384 owners"):
        SlotMap(bytes(100))
    with pytest.raises(ValueError, match="1 to 256"):
        SlotMap.even(0)
    with pytest.raises(ValueError, match="already"):
        SlotMap.even(3).grown(2)
    with pytest.raises(ValueError, match="other shards"):
        SlotMap.even(3).without(2, [])


@given(shards=st.integers(2, 20), data=st.data())
def test_what_one_shard_gives_up_goes_evenly_to_the_others(shards: int, data: st.DataObject) -> None:
    slots = SlotMap.even(shards)
    leaving = data.draw(st.integers(0, shards - 1))
    others = [number for number in range(shards) if number != leaving]
    left = slots.without(leaving, others)
    assert all(new == old for old, new in zip(slots.owners, left.owners, strict=True) if old != leaving)
    counts = left.counts()
    assert set(counts) == set(others)
    assert max(counts.values()) - min(counts.values()) <= 1
