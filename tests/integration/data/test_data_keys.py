"""Data keys: the hierarchy region -> organisation, from files and from KMS, with the directory's real rows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from shared.clock import ManualClock
from shared.datakeys import (
    DataKeys,
    DataKeySettings,
    KeyRefusedError,
    KeysUnavailableError,
    MasterKeys,
    open_master_keys,
)
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path
    from uuid import UUID

    from shared.shards import Shards

    Organisation = Callable[[], Awaitable[UUID]]

NONCE = bytes(12)
WEST = "arn:aws:kms:us-west-2:111122223333:key/west"
EAST = "arn:aws:kms:us-east-1:111122223333:key/east"
MAC = "arn:aws:kms:us-west-2:111122223333:key/mac"


class Kms(BaseHTTPRequestHandler):
    """As much of KMS's wire protocol (AWS JSON 1.1) as is used: keys never leave it, contexts must be the same."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, dict[str, Any]]]]
    fault: ClassVar[str | None]
    sealed: ClassVar[dict[bytes, tuple[bytes, str, dict[str, str]]]]

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((operation, asked))
        operations = {"GenerateDataKey": self.generate, "Decrypt": self.decrypt, "GenerateMac": self.mac}
        try:
            answer = operations[self.fault or operation](asked)
        except LookupError as error:
            self._answer(400, {"__type": error.args[0], "message": "no"})
        else:
            self._answer(200, answer)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def generate(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["KeySpec"] == "AES_256"
        key, blob = os.urandom(32), os.urandom(40)
        self.sealed[blob] = (key, asked["KeyId"], asked["EncryptionContext"])
        return {"Plaintext": _text(key), "CiphertextBlob": _text(blob), "KeyId": asked["KeyId"]}

    def decrypt(self, asked: dict[str, Any]) -> dict[str, Any]:
        key, key_id, context = self.sealed.get(base64.b64decode(asked["CiphertextBlob"]), (b"", "", {}))
        if context != asked["EncryptionContext"]:
            raise LookupError("InvalidCiphertextException")
        if key_id != asked["KeyId"]:
            raise LookupError("IncorrectKeyException")
        return {"Plaintext": _text(key), "KeyId": key_id}

    def mac(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["MacAlgorithm"] == "HMAC_SHA_256"
        mac = hmac.digest(asked["KeyId"].encode(), base64.b64decode(asked["Message"]), hashlib.sha256)
        return {"Mac": _text(mac), "KeyId": asked["KeyId"]}


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@contextmanager
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[MasterKeys]:
    """A provider that asks a scripted KMS."""
    Kms.asked, Kms.fault, Kms.sealed = [], None, {}
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kms)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environ = {
        "HAL9_DATA_KEYS": f"kms:us-west={WEST},us-east={EAST}",
        "HAL9_DATA_KEYS_MAC": f"us-west={MAC}",
        "HAL9_DATA_KEYS_KMS_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
    }
    try:
        yield open_master_keys(load(DataKeySettings, environ))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=["files", "kms"])
def masters(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MasterKeys]:
    """Each provider."""
    if request.param == "files":
        yield open_master_keys(load(DataKeySettings, {"HAL9_DATA_KEYS": f"file://{tmp_path}/keys"}))
    else:
        with kms(monkeypatch) as provider:
            yield provider


async def test_a_wrapped_key_is_bound_to_its_organisation_and_region(masters: MasterKeys) -> None:
    org_id, other = new_id(), new_id()
    key, wrapped = await masters.generate(org_id, "us-west")
    await masters.generate(org_id, "us-east")  # there is a key of that region, too
    assert len(key) == 32
    assert key not in wrapped
    assert await masters.unwrap(wrapped, org_id, "us-west") == key
    for organisation, region in ((other, "us-west"), (org_id, "us-east")):
        with pytest.raises(KeyRefusedError):
            await masters.unwrap(wrapped, organisation, region)
    for broken in (b"", wrapped[:-1], wrapped[:20] + bytes([wrapped[20] ^ 1]) + wrapped[21:]):
        with pytest.raises(KeyRefusedError):
            await masters.unwrap(broken, org_id, "us-west")


async def test_a_mac_is_the_same_each_time_and_differs_by_message(masters: MasterKeys) -> None:
    await masters.generate(new_id(), "us-west")
    first = await masters.mac("us-west", b"one")
    assert len(first) == 32
    assert await masters.mac("us-west", b"one") == first
    assert await masters.mac("us-west", b"two") != first


async def test_kms_is_asked_with_the_context_and_its_faults_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    org_id = new_id()
    with kms(monkeypatch) as masters:
        _, wrapped = await masters.generate(org_id, "us-west")
        context = {"hal9:organisation": str(org_id), "hal9:region": "us-west"}
        expected = {"KeyId": WEST, "KeySpec": "AES_256", "EncryptionContext": context}
        assert Kms.asked == [("GenerateDataKey", expected)]
        for fault in ("AccessDeniedException", "DisabledException", "KMSInvalidStateException"):
            Kms.fault = fault
            with pytest.raises(KeysUnavailableError) as caught:
                await masters.unwrap(wrapped, org_id, "us-west")
            assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "5")
        with pytest.raises(KeysUnavailableError):
            await masters.generate(org_id, "mars")


async def test_of_two_processes_that_make_a_region_s_master_key_one_s_is_kept(tmp_path: Path) -> None:
    providers = [FileMasterKeys(tmp_path / "keys") for _ in range(8)]
    await asyncio.gather(*(one.generate(new_id(), "us-west") for one in providers))
    assert len(set(await asyncio.gather(*(one.mac("us-west", b"x") for one in providers)))) == 1
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_master_keys_that_were_lost_are_not_made_anew_by_who_reads(tmp_path: Path) -> None:
    org_id = new_id()
    _, wrapped = await FileMasterKeys(tmp_path / "masters").generate(org_id, "us-west")
    with pytest.raises(KeysUnavailableError):
        await FileMasterKeys(tmp_path / "lost").unwrap(wrapped, org_id, "us-west")
    with pytest.raises(KeysUnavailableError):
        await FileMasterKeys(tmp_path / "lost").mac("us-west", b"x")
    assert not (tmp_path / "lost").exists()


async def test_master_keys_in_a_file_are_rotated_and_still_unwrap(tmp_path: Path) -> None:
    org_id, file = new_id(), tmp_path / "us-west.json"
    key, wrapped = await FileMasterKeys(tmp_path).generate(org_id, "us-west")
    mac = await FileMasterKeys(tmp_path).mac("us-west", b"x")
    newer = {"kty": "oct", "kid": new_id().hex, "k": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")}
    file.write_text(json.dumps({"keys": [newer, *json.loads(file.read_text())["keys"]]}))
    rotated = FileMasterKeys(tmp_path)
    assert await rotated.unwrap(wrapped, org_id, "us-west") == key
    assert await rotated.mac("us-west", b"x") == mac
    _, again = await rotated.generate(org_id, "us-west")
    assert again[:16] == bytes.fromhex(newer["kid"])


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "kid": "00", "k": "AAAA"}]}'])
async def test_a_file_that_is_no_master_key_is_said_to_be_unusable(tmp_path: Path, content: str) -> None:
    (tmp_path / "us-west.json").write_text(content)
    (tmp_path / "us-west.json").chmod(0o600)
    with pytest.raises(KeysUnavailableError):
        await FileMasterKeys(tmp_path).mac("us-west", b"x")


async def test_master_keys_that_others_may_read_are_not_used(tmp_path: Path) -> None:
    await FileMasterKeys(tmp_path).generate(new_id(), "us-west")
    (tmp_path / "us-west.json").chmod(0o640)
    with pytest.raises(KeysUnavailableError):
        await FileMasterKeys(tmp_path).mac("us-west", b"x")
    with pytest.raises(ValueError, match="no region"):
        await FileMasterKeys(tmp_path).mac("../us-west", b"x")


@pytest.mark.parametrize("value", ["", "keys", "file://host/keys", "kms:", "kms:us-west", "kms:us-west=alias/x"])
def test_what_is_no_address_of_master_keys_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="HAL9_DATA_KEYS"):
        open_master_keys(load(DataKeySettings, {"HAL9_DATA_KEYS": value}))


def test_a_data_key_is_never_kept_for_longer_than_five_minutes() -> None:
    with pytest.raises(SettingsError, match="at most 300"):
        load(DataKeySettings, {"HAL9_DATA_KEY_SECONDS": "301"})


@pytest.fixture
def files(tmp_path: Path) -> FileMasterKeys:
    return FileMasterKeys(tmp_path / "masters")


async def test_processes_that_begin_at_once_share_one_key(
    shards: Shards, organisation: Organisation, files: FileMasterKeys
) -> None:
    org_id = await organisation()
    processes = [DataKeys(shards.directory, files) for _ in range(6)]
    keys = await asyncio.gather(*(process.current(org_id, "us-west") for process in processes for _ in range(3)))
    assert len({key.key_id for key in keys}) == 1
    sealed = keys[0].aead.encrypt(NONCE, b"data", None)
    assert {key.aead.decrypt(NONCE, sealed, None) for key in keys} == {b"data"}


async def test_a_key_is_unwrapped_once_for_all_who_wait_and_again_after_its_time(
    shards: Shards, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id, clock = await organisation(), ManualClock()
    with kms(monkeypatch) as masters:
        keys = DataKeys(shards.directory, masters, 300, clock)
        first = await asyncio.gather(*(keys.current(org_id, "us-west") for _ in range(20)))
        clock.advance(299)
        assert await keys.find(org_id, "us-west", first[0].key_id) == first[0]
        assert [operation for operation, _ in Kms.asked] == ["GenerateDataKey", "Decrypt"]
        clock.advance(1)
        await keys.current(org_id, "us-west")
        assert [operation for operation, _ in Kms.asked] == ["GenerateDataKey", "Decrypt", "Decrypt"]


async def test_a_superseded_key_still_opens_until_it_is_pruned(
    shards: Shards, organisation: Organisation, files: FileMasterKeys
) -> None:
    org_id = await organisation()
    keys, other = DataKeys(shards.directory, files), DataKeys(shards.directory, files)
    old = await keys.current(org_id, "us-west")
    await asyncio.gather(keys.rotate(org_id, "us-west"), other.rotate(org_id, "us-west"))
    new = await DataKeys(shards.directory, files).current(org_id, "us-west")
    assert new.key_id != old.key_id
    assert await DataKeys(shards.directory, files).find(org_id, "us-west", old.key_id) is not None
    now = datetime.now(UTC)
    assert await keys.prune(org_id, now - timedelta(hours=1)) == 0
    assert await keys.prune(org_id, now + timedelta(hours=1)) >= 1
    assert await DataKeys(shards.directory, files).find(org_id, "us-west", old.key_id) is None
    assert await DataKeys(shards.directory, files).find(org_id, "us-west", new.key_id) is not None


async def test_a_shredded_key_is_gone_at_once_where_it_was_told_and_after_its_time_elsewhere(
    shards: Shards, organisation: Organisation, files: FileMasterKeys
) -> None:
    org_id, neighbour, clock = await organisation(), await organisation(), ManualClock()
    shredder, told, deaf = (DataKeys(shards.directory, files, 300, clock) for _ in range(3))
    key = await shredder.current(org_id, "us-west")
    other = await shredder.current(neighbour, "us-west")
    for process in (told, deaf):
        assert await process.find(org_id, "us-west", key.key_id) is not None
    assert await shredder.shred(org_id) == 1
    told.forget(org_id)
    assert await shredder.find(org_id, "us-west", key.key_id) is None
    assert await told.find(org_id, "us-west", key.key_id) is None
    clock.advance(300)
    assert await deaf.find(org_id, "us-west", key.key_id) is None
    assert await deaf.find(neighbour, "us-west", other.key_id) is not None
    assert (await deaf.current(org_id, "us-west")).key_id != key.key_id


async def test_a_key_that_is_being_fetched_while_it_is_shredded_is_not_kept(
    shards: Shards, organisation: Organisation, files: FileMasterKeys
) -> None:
    org_id = await organisation()
    keys = DataKeys(shards.directory, files)
    key = await DataKeys(shards.directory, files).current(org_id, "us-west")
    fetching = asyncio.create_task(keys.find(org_id, "us-west", key.key_id))
    await asyncio.sleep(0)
    await keys.shred(org_id)
    assert await keys.find(org_id, "us-west", key.key_id) is None
    await fetching
    assert await keys.find(org_id, "us-west", key.key_id) is None


async def test_an_organisation_that_does_not_exist_has_no_keys(shards: Shards, files: FileMasterKeys) -> None:
    with pytest.raises(Problem) as caught:
        await DataKeys(shards.directory, files).current(new_id(), "us-west")
    assert caught.value.slug == "organisation-unknown"


async def test_a_row_under_another_organisation_s_name_opens_nothing(
    shards: Shards, organisation: Organisation, files: FileMasterKeys
) -> None:
    mine, foreign = await organisation(), await organisation()
    keys = DataKeys(shards.directory, files)
    key = await keys.current(foreign, "us-west")
    assert await keys.find(mine, "us-west", key.key_id) is None
    _, wrapped = await files.generate(foreign, "us-west")
    async with shards.directory.transaction(f"SET LOCAL hal9.org_id='{mine}'") as tx:
        await tx.execute(
            "INSERT INTO directory.data_keys (org_id, region, key_id, wrapped) VALUES ($1, 'us-west', $2, $3)",
            mine, new_id(), wrapped,
        )  # fmt: skip
    with pytest.raises(KeysUnavailableError):
        await keys.current(mine, "us-west")
