"""The way of a restore through the WAL: which archives, one after the other, and which of their segments.

Most ways have one leg. After a promotion the WAL goes on in another archive, of a later history (timeline), which the
archive before names (`archive.name_successor`); PostgreSQL's `<timeline>.history` says where it left the earlier one.
Source: PostgreSQL 18 manual, 25.3.6 (timelines); a segment in which a history begins holds what was before, too.
Promises: a leg follows another only when no segment is missing between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from shared.backup.archive import HISTORY, PARTIAL, SEGMENT, folder, read_status, successor
from shared.backup.errors import AbsentError, DamagedError
from shared.backup.shard import begin_of, lsn_of, segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from shared.backup.manifest import ShardBackup
    from shared.backup.repository import Repository

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
_LEFT: Final = re.compile(r"(\d+)\s+([0-9A-F]+/[0-9A-F]+)(?:\s.*)?")


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the way, within one archive.

    Attributes:
        archive: The archive's id.
        timeline: The history that is read there.
        lsn: Where reading begins.
        until: The last moment that the archive reaches; None when it does not say, and for a backup's own point.
    """

    archive: str
    timeline: int
    lsn: int
    until: datetime | None = None

    @property
    def history(self) -> str:
        """The name of PostgreSQL's file about that history; the first one has none."""
        return f"{folder(self.archive)}/{self.timeline:08X}.history"


def first_leg(part: ShardBackup) -> Leg:
    """The way from a backup to its own point."""
    return Leg(part.archive, part.timeline, part.start_lsn)


async def route(repository: Repository, part: ShardBackup, moment: datetime) -> tuple[Leg, ...]:
    """Give the way from a backup to a moment, or as near to it as there is a way."""
    legs = [replace(first_leg(part), until=await _reach(repository, part.archive))]
    while (reached := legs[-1].until) is None or reached < moment:
        following = await _following(repository, legs[-1], part.segment_bytes)
        if following is None:
            break
        legs.append(following)
    return tuple(legs)


async def _reach(repository: Repository, archive: str) -> datetime | None:
    status = await read_status(repository, archive)
    return None if status is None else status.at


async def _following(repository: Repository, leg: Leg, size: int) -> Leg | None:
    """The leg after another one, when the two are one history without a hole."""
    archive = await successor(repository, leg.archive)
    if archive is None or (until := await _reach(repository, archive)) is None:
        return None
    names = {name.rpartition("/")[2] async for name in repository.below(folder(archive))}
    newest = max((name for name in names if HISTORY.fullmatch(name)), default=None)
    if newest is None:
        return None
    timeline = int(newest.partition(".")[0], 16)
    name = f"{folder(archive)}/{newest}"
    parent, lsn = _left(name, (await repository.read(name)).decode())
    begin = lsn - lsn % size
    first = segment(timeline, begin, size)
    if parent != leg.timeline or timeline <= parent or await _kept(repository, folder(archive), first, names) is None:
        return None
    before = f"{folder(leg.archive)}/{segment(leg.timeline, begin - size, size)}"
    if begin > leg.lsn and not await repository.exists(before):
        return None
    return Leg(archive, timeline, begin, until)


def _left(name: str, history: str) -> tuple[int, int]:
    """Which history was left last, and where.

    Raises:
        DamagedError: The file does not say.
    """
    found = [match for line in history.splitlines() if (match := _LEFT.fullmatch(line.strip()))]
    if not found:
        raise DamagedError(name, "it names no earlier history")
    return int(found[-1][1]), lsn_of(found[-1][2])


async def segments(repository: Repository, part: ShardBackup, legs: Sequence[Leg], last_lsn: int | None) -> list[str]:
    """The names of the segments that are needed, in their order, without a gap.

    Args:
        repository: The store.
        part: What the way begins at.
        legs: The way.
        last_lsn: What comes after is not needed; None takes all that there is.

    Raises:
        DamagedError: One is missing.
    """
    size = part.segment_bytes
    wanted: list[str] = []
    place = part.start_lsn - part.start_lsn % size
    for leg, following in pairwise(legs):
        ends = range(place, following.lsn, size)
        wanted += [f"{folder(leg.archive)}/{segment(leg.timeline, each, size)}" for each in ends]
        place = max(place, following.lsn)
    return wanted + await _to_the_end(repository, part, legs[-1], place, last_lsn)


async def _to_the_end(
    repository: Repository, part: ShardBackup, leg: Leg, place: int, last_lsn: int | None
) -> list[str]:
    size = part.segment_bytes
    prefix = folder(leg.archive)
    listed = {name.rpartition("/")[2] async for name in repository.below(prefix)}
    newest = max((begin_of(name, size) for name in listed if SEGMENT.fullmatch(name)), default=0)
    wanted: list[str] = []
    while last_lsn is None or place <= last_lsn:
        name = segment(leg.timeline, place, size)
        kept = await _kept(repository, prefix, name, listed)
        if kept is not None:
            wanted.append(f"{prefix}/{kept}")
        elif place < newest or place <= (part.point_lsn if last_lsn is None else min(last_lsn, part.point_lsn)):
            raise DamagedError(f"{prefix}/{name}", "the segment is not in the store")
        if kept != name:
            return wanted
        place += size
    return wanted


async def _kept(repository: Repository, prefix: str, name: str, listed: Collection[str]) -> str | None:
    """Give the file that holds a segment: the whole one, or the one as far as it was written; None without both.

    Files that come and go while a folder is listed are in the list or not. Whoever archives puts the whole one before
    the other is removed; so who finds none of the other, and then none of the whole one, knows that there is none.
    """
    if name in listed:
        return name
    partial = name + PARTIAL in listed or await repository.exists(f"{prefix}/{name}{PARTIAL}")
    if await repository.exists(f"{prefix}/{name}"):
        return name
    return name + PARTIAL if partial else None


async def wal(repository: Repository, name: str) -> AsyncGenerator[bytes, None]:
    """Give a segment's bytes, of the whole one where what was partial when `segments` saw it has been completed.

    Raises:
        DamagedError: It is not there, or not what was put there.
    """
    try:
        async for chunk in repository.get(name):
            yield chunk
    except AbsentError:
        if not name.endswith(PARTIAL):
            raise
        async for chunk in repository.get(name.removesuffix(PARTIAL)):
            yield chunk
