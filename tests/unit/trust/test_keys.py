"""Keys: files that are safe, trust that is bound to issuers and follows its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.keys import KeyFileError, PrivateKey, PublicKey, Trust, base64url, write_trust
from shared.keys.trust import LOOK_AGAIN_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_survives_its_file_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    key = PrivateKey.generate("gateway")
    path = tmp_path / "keys" / "gateway.json"
    key.write(path)
    again = PrivateKey.load(path)
    assert (again.kid, again.issuer, again.sign(b"m")) == (key.kid, "gateway", key.sign(b"m"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["gateway.json"]


def test_the_key_id_is_the_thumbprint_of_rfc_8037_appendix_a3() -> None:
    seed = base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    key = PrivateKey.from_seed(seed, "gateway")
    assert key.x == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_private_half_is_not_shown() -> None:
    key = PrivateKey.from_seed(bytes(32), "gateway")
    assert repr(key) == f"PrivateKey(kid={key.kid!r}, issuer='gateway')"


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "X25519"},
        {"d": "AAAA"},
        {"d": None},
        {"d": "not base64!"},
        {"kid": "another"},
        {"x": base64url.encode(bytes(32))},
    ],
)
def test_a_key_file_that_is_not_a_whole_key_is_refused_with_its_path(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "key.json"
    PrivateKey.generate("gateway").write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(KeyFileError, match=r"key\.json"):
        PrivateKey.load(path)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '"x"', "\udcff"])
def test_a_key_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        PrivateKey.load(path)
    with pytest.raises(KeyFileError):
        Trust.load(path)


def test_a_key_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    PrivateKey.generate("gateway").write(path)
    path.chmod(0o666)
    with pytest.raises(KeyFileError, match="chmod 600"):
        PrivateKey.load(path)


def test_missing_files_say_which_variable_to_set(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="HAL9_IDENTITY_KEY"):
        PrivateKey.load(tmp_path / "none")
    with pytest.raises(KeyFileError, match="HAL9_TRUST"):
        Trust.load(tmp_path / "none")


def test_trust_finds_keys_with_their_issuers(tmp_path: Path) -> None:
    gateway, broker = PrivateKey.generate("gateway"), PrivateKey.generate("broker")
    write_trust(tmp_path / "trust.json", [gateway, PublicKey.of(broker)])
    trust = Trust.load(tmp_path / "trust.json")
    found = trust.find(broker.kid)
    assert found is not None
    assert found.issuer == "broker"
    assert found.verifies(broker.sign(b"m"), b"m")
    assert not found.verifies(gateway.sign(b"m"), b"m")
    assert not found.verifies(broker.sign(b"m"), b"n")
    assert trust.find("unknown") is None


def test_one_key_may_not_speak_for_two_issuers(tmp_path: Path) -> None:
    key = PrivateKey.from_seed(bytes(32), "gateway")
    write_trust(tmp_path / "trust.json", [key, PrivateKey.from_seed(bytes(32), "broker")])
    with pytest.raises(KeyFileError, match="one issuer"):
        Trust.load(tmp_path / "trust.json")


def test_a_key_id_that_is_not_the_thumbprint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    write_trust(path, [PrivateKey.generate("gateway")])
    path.write_text(path.read_text().replace('"kid": "', '"kid": "x'))
    with pytest.raises(KeyFileError, match="thumbprint"):
        Trust.load(path)


def test_trust_follows_its_file_and_outlives_a_broken_one(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "trust.json"
    first, second = PrivateKey.generate("gateway"), PrivateKey.generate("gateway")
    write_trust(path, [first])
    trust = Trust.load(path, clock)

    write_trust(path, [second])
    assert trust.find(second.kid) is None, "a flood of unknown key ids must not read the file each time"
    clock.advance(LOOK_AGAIN_SECONDS)
    assert trust.find(second.kid) is not None
    assert trust.find(first.kid) is None, "a key that was withdrawn is no longer believed"

    path.write_text("{")
    clock.advance(LOOK_AGAIN_SECONDS)
    assert trust.find(second.kid) is not None
    write_trust(path, [first, second])
    clock.advance(LOOK_AGAIN_SECONDS)
    assert trust.find(first.kid) is not None
    path.unlink()
    clock.advance(LOOK_AGAIN_SECONDS)
    assert trust.find(first.kid) is not None


@given(st.binary(max_size=200))
def test_base64url_round_trips(raw: bytes) -> None:
    assert base64url.decode(base64url.encode(raw)) == raw


@given(st.text(alphabet="AQgw_-=+/ \n", max_size=12))
def test_base64url_has_one_text_for_each_value(text: str) -> None:
    try:
        raw = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(raw) == text
