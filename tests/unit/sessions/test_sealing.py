"""The seal itself: what it costs in bytes, what it binds, and that no nonce comes twice."""

from __future__ import annotations

import os
import threading

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.datakeys import DataKey
from shared.identifiers import new_id
from shared.randomness import SeededRandomness
from shared.sessions import Session, SessionId
from shared.sessions.nonces import nonce
from shared.sessions.sealing import CLEAR_BYTES, open_sealed, open_session, read_clear, seal, seal_session
from shared.sessions.session import State
from shared.shards import slot

KEY = DataKey(new_id(), AESGCM(bytes(32)))
NUMBER = st.integers(0, 2**53)


@given(
    st.frozensets(st.text(max_size=20), max_size=5), NUMBER, NUMBER, st.integers(1, 2**31), st.text(max_size=256),
    st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5), st.sampled_from(State),
)  # fmt: skip
def test_what_was_sealed_is_opened_as_it_was(
    privileges: frozenset[str], begun: int, ends: int, idle: int, device: str, data: dict[str, str], state: State
) -> None:
    session = Session(new_id(), new_id(), new_id(), "us-west", privileges, begun, ends, idle, device, "", data, state)
    value = seal_session(KEY, session, bytes(32))
    clear = read_clear(value)
    assert clear == (state, KEY.key_id, session.org_id)
    assert open_session(KEY, value, bytes(32), "us-west") == session
    assert open_session(KEY, value, b"\x01" + bytes(31), "us-west") is None
    assert open_session(KEY, value, bytes(32), "us-east") is None
    assert open_session(DataKey(KEY.key_id, AESGCM(b"\x01" * 32)), value, bytes(32), "us-west") is None


@given(st.binary(max_size=200), st.data())
def test_one_bit_anywhere_breaks_the_seal(body: bytes, data: st.DataObject) -> None:
    value = seal(KEY.aead, bytes(CLEAR_BYTES), b"context", body)
    assert len(value) == CLEAR_BYTES + 12 + len(body) + 16
    position = data.draw(st.integers(0, len(value) * 8 - 1))
    broken = bytearray(value)
    broken[position // 8] ^= 1 << position % 8
    with pytest.raises(InvalidTag):
        open_sealed(KEY.aead, bytes(broken), b"context")


@given(st.binary(max_size=200))
def test_whatever_is_in_the_cache_is_read_or_refused(value: bytes) -> None:
    clear = read_clear(value)
    assert clear is None or value[:1] == b"\x01"
    if clear is not None:
        assert open_session(KEY, value, bytes(32), "us-west") is None


def test_no_nonce_comes_twice_from_threads_or_in_a_forked_child() -> None:
    given_out: list[bytes] = []
    threads = [threading.Thread(target=lambda: given_out.extend(nonce() for _ in range(1000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    nonce()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(nonce() for _ in range(100)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(child, 0)
    given_out += [raw[start : start + 12] for start in range(0, len(raw), 12)]
    given_out += [nonce() for _ in range(100)]
    assert len(set(given_out)) == len(given_out) == 4200
    assert {len(one) for one in given_out} == {12}


@given(st.uuids(), st.integers())
def test_a_cookie_is_read_as_it_was_written_and_says_the_place(org_id, seed) -> None:  # type: ignore[no-untyped-def]
    session_id = SessionId.new("us-west", org_id, SeededRandomness(seed))
    assert SessionId.parse(session_id.text) == session_id
    assert (session_id.place, len(session_id.raw)) == (slot(org_id), 34)


@given(st.text(max_size=80))
def test_a_text_that_is_read_as_an_id_is_the_only_one_for_it(text: str) -> None:
    found = SessionId.parse(text)
    assert found is None or found.text == text
