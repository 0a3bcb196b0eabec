"""A session's value in the cache: version | state | key id | organisation | user | ref | idle | nonce | ciphertext.

Source: NIST SP 800-38D (AES-GCM, 96-bit random nonces: up to 2^32 values a key; a key is rotated long before).
The clear part is what a script needs to know; it is associated data, with the id's hash and the region, so that none of
it can be changed or carried elsewhere. Does not: choose keys.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag

from shared.sessions.nonces import BYTES as NONCE_BYTES
from shared.sessions.nonces import nonce
from shared.sessions.session import Session, State, decode, encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from shared.datakeys import DataKey

VERSION: Final = b"\x01"
CLEAR: Final = Struct(">cc16s16s16s16sI")
CLEAR_BYTES: Final = CLEAR.size
_TEXT_AT: Final = CLEAR_BYTES + NONCE_BYTES
_TAG_BYTES: Final = 16
_STATES: Final = {state.value: state for state in State}


class Clear(NamedTuple):
    """The clear part."""

    state: State
    key_id: UUID
    org_id: UUID


def seal(aead: AESGCM, clear: bytes, context: bytes, body: bytes) -> bytes:
    """Seal bytes.

    Args:
        aead: AES-256-GCM.
        clear: `CLEAR_BYTES` bytes that stay readable; bound.
        context: What is bound beside them.
        body: What is sealed.
    """
    once = nonce()
    return clear + once + aead.encrypt(once, body, clear + context)


def open_sealed(aead: AESGCM, value: bytes, context: bytes) -> bytes:
    """Give what was sealed.

    Raises:
        cryptography.exceptions.InvalidTag: Another key, clear part or context, or it was changed.
    """
    return aead.decrypt(value[CLEAR_BYTES:_TEXT_AT], value[_TEXT_AT:], value[:CLEAR_BYTES] + context)


def read_clear(value: bytes) -> Clear | None:
    """Give the clear part of a value that may be anything; it is not to be believed before the seal was opened."""
    if len(value) < _TEXT_AT + _TAG_BYTES or value[:1] != VERSION:
        return None
    state = _STATES.get(value[1:2])
    return None if state is None else Clear(state, UUID(bytes=value[2:18]), UUID(bytes=value[18:34]))


def seal_session(key: DataKey, session: Session, digest: bytes) -> bytes:
    """Give a session's value.

    Args:
        key: The organisation's, of the session's region.
        session: The session.
        digest: Of the id that it is for, 32 bytes.
    """
    clear = CLEAR.pack(
        VERSION,
        session.state.value,
        key.key_id.bytes,
        session.org_id.bytes,
        session.user_id.bytes,
        session.ref.bytes,
        session.idle_seconds,
    )
    return seal(key.aead, clear, digest + session.region.encode(), encode(session))


def open_session(key: DataKey, value: bytes, digest: bytes, region: str) -> Session | None:
    """Give the session of a value; None when it was sealed otherwise, for another id or region, or changed."""
    try:
        body = open_sealed(key.aead, value, digest + region.encode())
    except InvalidTag:
        return None
    _, state, _, org_id, user_id, ref, idle = CLEAR.unpack_from(value)
    return decode(body, org_id=org_id, user_id=user_id, ref=ref, region=region, idle_seconds=idle, state=_STATES[state])
