"""Stores of objects: the same promises from a folder and from a server that speaks S3."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import new_id
from shared.objects import (
    ObjectMissingError,
    Objects,
    ObjectsFullError,
    ObjectsSettings,
    key,
    open_objects,
    validated,
)
from shared.settings import load
from tests.disk_fixture import full_disk
from tests.s3_fixture import S3Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ORGANISATION = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": f"file://{tmp_path}/objects"}))
    environ = {"HAL9_OBJECTS": "s3://bucket/some/prefix", "HAL9_OBJECTS_S3_ENDPOINT": request.getfixturevalue("s3")}
    return open_objects(load(ObjectsSettings, environ))


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(objects: Objects, name: str) -> bytes:
    return b"".join([chunk async for chunk in objects.get(name)])


def files_in(folder: Path) -> list[str]:
    """Every file that a store in a folder has, by its path there."""
    root = folder / "objects"
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


async def test_what_was_put_is_got(objects: Objects) -> None:
    name = key(ORGANISATION, "artefacts", "project.tar.gz")
    assert not await objects.exists(name)
    assert await objects.put(name, b"first", media_type="text/plain") == 5
    assert await read(objects, name) == b"first"
    assert await objects.put(name, pieces(b"the ", b"", b"second"), media_type="text/plain") == 10
    assert await read(objects, name) == b"the second"
    assert await objects.exists(name)
    await objects.check()
    await objects.delete(name)
    await objects.delete(name)
    assert not await objects.exists(name)
    with pytest.raises(ObjectMissingError):
        await read(objects, name)


async def test_an_empty_object_is_one(objects: Objects) -> None:
    name = key(ORGANISATION, "nothing")
    assert await objects.put(name, pieces()) == 0
    assert await objects.exists(name)
    assert await read(objects, name) == b""


async def test_one_larger_than_a_part(objects: Objects) -> None:
    name = key(ORGANISATION, "large")
    chunks = [bytes([number]) * 3 * 2**20 for number in range(7)]
    assert await objects.put(name, pieces(*chunks)) == 21 * 2**20
    assert await read(objects, name) == b"".join(chunks)


async def test_a_put_that_breaks_off_leaves_what_was_there(objects: Objects) -> None:
    name = key(ORGANISATION, "kept")
    await objects.put(name, b"kept")

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(7):
            yield bytes(3 * 2**20)
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await objects.put(name, broken())
    assert await read(objects, name) == b"kept"


async def test_a_broken_multipart_upload_is_given_up(s3: str) -> None:
    from botocore.exceptions import ClientError

    environ = {"HAL9_OBJECTS": "s3://bucket", "HAL9_OBJECTS_S3_ENDPOINT": s3}
    objects = open_objects(load(ObjectsSettings, environ))
    S3Server.fail_part = 2
    with pytest.raises(ClientError):
        await objects.put(key(ORGANISATION, "large"), pieces(bytes(9 * 2**20), bytes(9 * 2**20)))
    assert S3Server.uploads == {}
    assert S3Server.objects == {}


@pytest.mark.parametrize("pieces_of", [1, 3], ids=["in one", "in pieces"])
async def test_a_full_disk_is_said_to_be_one_and_leaves_what_was_there(tmp_path: Path, pieces_of: int) -> None:
    objects = open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": f"file://{tmp_path}/objects"}))
    name = key(ORGANISATION, "kept")
    await objects.put(name, b"kept")
    data = b"x" * 1000 if pieces_of == 1 else pieces(*([b"x" * 1000] * pieces_of))
    with full_disk(100), pytest.raises(ObjectsFullError, match=r"no space left.*HAL9_OBJECTS"):
        await objects.put(name, data)
    assert await read(objects, name) == b"kept"
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize("full", [(507, "XMinioStorageFull"), (403, "QuotaExceeded"), (400, "BucketQuotaExceeded")])
@pytest.mark.parametrize("size", [10, 9 * 2**20], ids=["in one part", "in several"])
async def test_a_full_server_is_said_to_be_one(s3: str, full: tuple[int, str], size: int) -> None:
    environ = {"HAL9_OBJECTS": "s3://bucket", "HAL9_OBJECTS_S3_ENDPOINT": s3}
    S3Server.full = full
    with pytest.raises(ObjectsFullError):
        await open_objects(load(ObjectsSettings, environ)).put(key(ORGANISATION, "a"), pieces(bytes(size), b"more"))
    assert S3Server.uploads == {}


async def test_what_is_below_a_prefix_is_listed(objects: Objects) -> None:
    names = [key(ORGANISATION, "backups", str(number), "file") for number in range(5)]
    for name in (*names, key(ORGANISATION, "backups-elsewhere", "file"), key(new_id(), "backups", "file")):
        await objects.put(name, b"x")
    assert [name async for name in objects.below(f"{ORGANISATION}/backups")] == names
    assert [name async for name in objects.below(f"{ORGANISATION}/backups/3")] == names[3:4]
    assert [name async for name in objects.below(f"{ORGANISATION}/nothing")] == []
    with pytest.raises(ValueError, match="key"):
        [name async for name in objects.below("../..")]


async def test_rests_of_killed_writers_are_removed(s3: str, tmp_path: Path) -> None:
    folder = open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": f"file://{tmp_path}"}))
    name = key(ORGANISATION, "backups", "whole")
    await folder.put(name, b"x")
    (tmp_path / name).with_name(".partial-0123").write_bytes(b"half")
    assert await folder.tidy(f"{ORGANISATION}/backups", datetime(2001, 1, 1, tzinfo=UTC)) == 0
    assert await folder.tidy(f"{ORGANISATION}/backups", datetime(2101, 1, 1, tzinfo=UTC)) == 1
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == ["whole"]
    bucket = open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": "s3://bucket", "HAL9_OBJECTS_S3_ENDPOINT": s3}))
    S3Server.uploads["u1"], S3Server.names["u1"] = {1: b"half"}, name
    assert await bucket.tidy(f"{ORGANISATION}/backups", datetime(2001, 1, 1, tzinfo=UTC)) == 0
    assert await bucket.tidy(f"{ORGANISATION}/backups", datetime(2101, 1, 1, tzinfo=UTC)) == 1
    assert S3Server.uploads == {}
    assert await bucket.tidy(f"{ORGANISATION}/backups", datetime(2101, 1, 1, tzinfo=UTC)) == 0, (
        "some servers have no list"
    )


async def test_a_folder_keeps_objects_to_itself_and_no_rests(tmp_path: Path) -> None:
    objects = open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": f"file://{tmp_path}/objects"}))
    name = key(ORGANISATION, "a", "b")
    await asyncio.gather(*(objects.put(name, pieces(bytes([n]) * 1000)) for n in range(20)))
    data = await read(objects, name)
    assert data == data[:1] * 1000
    assert files_in(tmp_path) == [name]
    assert (tmp_path / "objects" / name).stat().st_mode & 0o077 == 0
    with pytest.raises(ObjectMissingError):
        await read(objects, key(ORGANISATION, "a"))


HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    ".hidden",
    "a/../b",
    "a//b",
    "a/",
    "/etc/passwd",
    "",
    "a\x00b",
    "a\\b",
    "a b",
    "ä",
    "x" * 129,
    "a\n",
    "%2e%2e",
    ".partial-00",
]


@pytest.mark.parametrize("part", HOSTILE)
async def test_no_key_reaches_elsewhere(objects: Objects, part: str) -> None:
    hostile = f"{ORGANISATION}/{part}"
    with pytest.raises(ValueError, match="key"):
        key(ORGANISATION, part)
    for call in (objects.exists(hostile), objects.delete(hostile), objects.put(hostile, b"x")):
        with pytest.raises(ValueError, match="key"):
            await call
    with pytest.raises(ValueError, match="key"):
        await read(objects, hostile)


@pytest.mark.parametrize(
    "name", ["artefacts/a", str(ORGANISATION), f"{ORGANISATION}".upper() + "/a", f"x{ORGANISATION}/a"]
)
def test_a_key_begins_with_its_organisation(name: str) -> None:
    with pytest.raises(ValueError, match="key"):
        validated(name)


@given(st.text(max_size=40))
def test_whatever_is_a_key_stays_in_the_folder(text: str) -> None:
    try:
        name = key(ORGANISATION, text)
    except ValueError:
        return
    root = Path("/objects")
    assert (root / name).resolve().is_relative_to(root / str(ORGANISATION))


@pytest.mark.parametrize("url", ["/tmp/x", "file://host/x", "http://x", "s3:///x", "file:"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="HAL9_OBJECTS must be"):
        open_objects(load(ObjectsSettings, {"HAL9_OBJECTS": url}))


def test_ids_make_keys() -> None:
    artefact = new_id()
    assert key(ORGANISATION, "artefacts", f"{artefact}.tar.gz") == f"{ORGANISATION}/artefacts/{artefact}.tar.gz"
