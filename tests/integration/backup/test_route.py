"""Which segments a restore takes, while somebody archives on: a list of files is not of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from shared.backup import DamagedError, Repository
from shared.backup.archive import PARTIAL, folder
from shared.backup.manifest import File, ShardBackup
from shared.backup.route import first_leg, segments, wal
from shared.datakeys.files import FileMasterKeys
from shared.objects.directory import DirectoryObjects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared.backup.sealing import DataKey

ARCHIVE: Final = "01890a5dac96774bbcceb302099a8057"
SIZE: Final = 4 << 20
NOTHING: Final = File("", 0, "", 0)
PART: Final = ShardBackup(
    shard=0, archive=ARCHIVE, version="18.6", segment_bytes=SIZE, timeline=1, start_lsn=2 * SIZE, stop_lsn=3 * SIZE,
    point_lsn=4 * SIZE + 1, base=NOTHING, manifest=NOTHING,
)  # fmt: skip


class Overtaken(DirectoryObjects):
    """A folder that lists one segment under neither name: it was completed in between."""

    missed = ""

    async def below(self, prefix: str) -> AsyncIterator[str]:
        """All but that one."""
        async for key in super().below(prefix):
            if not self.missed or self.missed not in key:
                yield key


def name(number: int) -> str:
    return f"{folder(ARCHIVE)}/00000001{0:08X}{number:08X}"


@pytest.fixture
def store(tmp_path: Path) -> Overtaken:
    return Overtaken(tmp_path / "store")


@pytest.fixture
def repository(store: Overtaken, tmp_path: Path) -> Repository:
    return Repository(store, FileMasterKeys(tmp_path / "keys"), "us-west")


async def archived(repository: Repository, *names: str) -> DataKey:
    key = await repository.new_key()
    for one in names:
        await repository.write(key, one, one.encode())
    return key


@pytest.mark.parametrize("missed", [2, 3, 4, 5])
async def test_a_segment_that_was_completed_while_it_was_listed_is_found(
    store: Overtaken, repository: Repository, missed: int
) -> None:
    every = [name(number) for number in (2, 3, 4, 5)]
    await archived(repository, *every)
    store.missed = every[missed - 2]
    assert await segments(repository, PART, (first_leg(PART),), None) == every


async def test_what_began_to_be_written_while_it_was_listed_is_found(store: Overtaken, repository: Repository) -> None:
    wanted = [name(2), name(3), name(4) + PARTIAL]
    await archived(repository, *wanted)
    store.missed = wanted[-1]
    assert await segments(repository, PART, (first_leg(PART),), None) == wanted


@pytest.mark.parametrize("absent", [2, 3, 4])
async def test_a_segment_that_is_missing_is_named(repository: Repository, absent: int) -> None:
    await archived(repository, *(name(number) for number in (2, 3, 4, 5) if number != absent))
    with pytest.raises(DamagedError, match=f"{absent:08X} is damaged: the segment is not in the store"):
        await segments(repository, PART, (first_leg(PART),), None)


async def test_of_a_segment_that_was_completed_since_the_whole_one_is_read(repository: Repository) -> None:
    key = await archived(repository, name(2), name(3), name(4) + PARTIAL)
    *_, last = await segments(repository, PART, (first_leg(PART),), None)
    await repository.write(key, name(4), b"whole")
    await repository.delete(last)
    assert b"".join([chunk async for chunk in wal(repository, last)]) == b"whole"
    await repository.delete(name(4))
    with pytest.raises(DamagedError, match="not in the store"):
        async for _ in wal(repository, last):
            pass
