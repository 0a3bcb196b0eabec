"""How long a look-up in the slot map takes, against the CRC that it cannot do without."""

from __future__ import annotations

from binascii import crc_hqx
from typing import TYPE_CHECKING
from uuid import UUID

from shared.shards import SlotMap
from tests.performance.benchmark import Benchmark
from tests.performance.processor import per_call
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from tests.performance.benchmark import Conditions

_MANY = 1000


def measure(conditions: Conditions) -> list[Figure]:
    """Nanoseconds of CPU for each look-up of another organisation."""
    # Organisations that differ, so that nothing is cached by the machine on their behalf.
    organisations = [UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128) for number in range(_MANY)]
    names = [org_id.bytes for org_id in organisations]
    shard = SlotMap.even(3).shard

    def look_up() -> None:
        for org_id in organisations:
            shard(org_id)

    def raw() -> None:
        for name in names:
            crc_hqx(name, 0)

    rounds = conditions.rounds(15, 3)
    found, least = per_call(look_up, rounds) / _MANY, per_call(raw, rounds) / _MANY
    return [
        Figure("look-up of a shard", found, "ns", AtMost(300)),
        Figure("raw CRC16 of 16 bytes", least, "ns"),
        Figure("against the raw CRC16", found / least, "x"),
    ]


BENCHMARK = Benchmark("slot-lookup", "organisation -> shard by the slot map", measure)
