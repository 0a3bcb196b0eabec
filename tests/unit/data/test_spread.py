"""Who would move where: no more than is needed, nobody where residency forbids it, everybody off a drained shard."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import new_id
from shared.placement.rebalancing import Resident, Wanted, spread
from shared.shards import Shard, SlotMap, Topology
from shared.shards.topology import State

REGIONS = ("us-west", "eu-central", "ap-south")


def residents(known: Topology, count: int) -> list[Resident]:
    made = []
    for _ in range(count):
        org_id = new_id()
        made.append(Resident(org_id, known.place(org_id, "us-west"), "us-west", 1, pinned=False))
    return made


@given(count=st.integers(0, 500))
def test_a_fourth_shard_takes_its_share_and_nobody_else_moves(count: int) -> None:
    three = Topology([Shard(number) for number in range(3)], SlotMap.even(3))
    before = residents(three, count)
    four = Topology([Shard(number) for number in range(4)], three.slots.grown(3))
    wanted, stuck = spread(four, before)
    assert stuck == []
    # What hash and chance have spread unevenly over the three is no reason to move between them; the rest is a quarter.
    arrived = Counter(one.target for one in wanted)
    assert arrived[3] <= -(-count // 4)
    after = Counter(one.shard for one in before)
    for one in wanted:
        after[one.source] -= 1
        after[one.target] += 1
    assert sum(after.values()) == count
    assert max((after[number] for number in range(4)), default=0) - min(after[number] for number in range(4)) <= 1
    assert spread(four, moved(before, wanted))[0] == []


def test_three_to_four_moves_at_most_27_percent_of_many() -> None:
    three = Topology([Shard(number) for number in range(3)], SlotMap.even(3))
    before = residents(three, 20_000)
    four = Topology([Shard(number) for number in range(4)], three.slots.grown(3))
    wanted, _ = spread(four, before)
    assert 0.24 <= len(wanted) / len(before) <= 0.27
    by_slot = sum(four.slots.shard(one.org_id) == one.target for one in wanted)
    assert by_slot / len(wanted) > 0.9


@given(data=st.data(), count=st.integers(1, 60))
def test_residency_and_drained_shards_are_kept(data: st.DataObject, count: int) -> None:
    states: st.SearchStrategy[State] = st.sampled_from(["active", "draining"])
    regions = st.one_of(st.none(), st.sampled_from(REGIONS))
    shards = [Shard(number, data.draw(regions), data.draw(states)) for number in range(5)]
    known = Topology(shards, SlotMap.even(5))
    before = [
        Resident(
            new_id(), data.draw(st.integers(0, 4)), data.draw(st.sampled_from(REGIONS)), 1, data.draw(st.booleans())
        )
        for _ in range(count)
    ]
    wanted, stuck = spread(known, before)
    leaving = {one.org_id: one.target for one in wanted}
    for one in before:
        target = leaving.get(one.org_id)
        if target is not None:
            assert known.refusal(target, one.region, pinned=one.pinned) is None
        elif shards[one.shard].state == "draining":
            assert one.org_id in stuck
            assert known.candidates(one.region, pinned=one.pinned) == ()
    assert len(leaving) == len(wanted)


def moved(before: list[Resident], wanted: list[Wanted]) -> list[Resident]:
    targets = {one.org_id: one.target for one in wanted}
    return [one._replace(shard=targets.get(one.org_id, one.shard)) for one in before]
