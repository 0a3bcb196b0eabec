"""The repository of backups over a server that speaks S3: streams in parts, listing page by page, deleting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from shared.backup import DamagedError, Repository
from shared.datakeys.files import FileMasterKeys
from shared.objects import ObjectsSettings, open_objects
from shared.randomness import SeededRandomness
from tests.s3_fixture import S3Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONTENT = SeededRandomness(1).bytes(20 * 2**20)


async def pieces() -> AsyncIterator[bytes]:
    for begin in range(0, len(CONTENT), 3 * 2**20):
        yield CONTENT[begin : begin + 3 * 2**20]


async def test_streams_go_to_s3_and_come_back(s3: str, tmp_path: Path) -> None:
    objects = open_objects(ObjectsSettings(url="s3://bucket/some/prefix", s3_endpoint=s3))
    repository = Repository(objects, FileMasterKeys(tmp_path), "us-west")
    await repository.check()
    key = await repository.new_key()
    names = [f"sets/01890a5d-ac96-774b-bcce-b302099a8057/{shard}/base" for shard in range(3)]
    files = [await repository.put(key, name, pieces()) for name in names]
    assert [name async for name in repository.below("sets")] == names
    assert len(await repository.unfinished()) == 1
    assert await repository.backups() == []
    assert await repository.read(names[0], files[0]) == CONTENT
    with pytest.raises(DamagedError, match="older or a newer"):
        await repository.read(names[0], files[1])
    [place] = [one for one in S3Server.objects if one.endswith(names[1])]
    stored, kind = S3Server.objects[place]
    assert CONTENT[:64] not in stored
    S3Server.objects[place] = (stored[: 8 * 2**20], kind)
    with pytest.raises(DamagedError):
        await repository.read(names[1], files[1])
    await repository.delete(names[2])
    with pytest.raises(DamagedError, match="not in the store"):
        await repository.read(names[2], files[2])


async def test_rests_of_killed_writers_are_removed_of_whatever_kind(tmp_path: Path) -> None:
    objects = open_objects(ObjectsSettings(url=f"file://{tmp_path}/store", s3_endpoint=None))
    repository = Repository(objects, FileMasterKeys(tmp_path / "keys"), "us-west")
    key = await repository.new_key()
    for kind in ("sets", "wal", "exports"):
        await repository.write(key, f"{kind}/01890a5d-ac96-774b-bcce-b302099a8057/file", b"whole")
        [whole] = (tmp_path / "store").glob(f"*/backup/{kind}/*/file")
        whole.with_name(".partial-0123").write_bytes(b"half")
    assert await repository.tidy(datetime(2001, 1, 1, tzinfo=UTC)) == 0
    assert await repository.tidy(datetime(2101, 1, 1, tzinfo=UTC)) == 3
    assert {path.name for path in (tmp_path / "store").rglob("*") if path.is_file()} == {"file"}
