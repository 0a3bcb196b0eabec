"""Positions in PostgreSQL's write-ahead log, and the bookmark that carries one from a write to a later read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NewType, Self

Lsn = NewType("Lsn", int)
"""A position in the log, in bytes from its beginning (PostgreSQL manual, 8.20 pg_lsn)."""

_LSN: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_BOOKMARK: Final = re.compile(r"([0-9]{1,4})(?:\.([0-9a-f]{1,16}))?")


def parse(text: str) -> Lsn:
    """Read `16/B374D848`.

    Raises:
        ValueError: it is no position.
    """
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no position in a log")
    return Lsn((int(match[1], 16) << 32) | int(match[2], 16))


def spell(lsn: Lsn) -> str:
    """Give a position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a shard was when somebody had written there: a read that is given it sees that write.

    It holds nothing secret, and one that somebody made up does no harm: at most a read waits 20 ms for it, and then
    goes to the primary. So it is neither signed nor sealed.

    Attributes:
        shard: the number of the shard; on another one, where the organisation moved, positions mean nothing.
        lsn: the position.
    """

    shard: int
    lsn: Lsn

    def __str__(self) -> str:
        return f"{self.shard}.{self.lsn:x}"

    def joined(self, other: Bookmark) -> Bookmark | None:
        """Give what stands for both; None where they are of different shards: only the primary surely has both."""
        return max(self, other, key=lambda one: one.lsn) if self.shard == other.shard else None

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read what `str` gave, or a shard's number alone, the beginning of its log; None for anything else."""
        match = _BOOKMARK.fullmatch(text)
        return cls(int(match[1]), Lsn(int(match[2] or "0", 16))) if match else None
