"""What a session says, and its form inside the seal."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from shared.sessions.errors import SessionFullError

if TYPE_CHECKING:
    from collections.abc import Mapping

MICROSECONDS: Final = 1_000_000
_MOST_BYTES: Final = 4096
_MOST_TEXT: Final = 256


class State(Enum):
    """What a value in the cache is."""

    LIVE = b"L"
    SUPERSEDED = b"S"
    """The id was replaced: reads for a moment, with the privileges that both have."""
    MOVING = b"M"
    """On its way to another region: whoever reads it completes the move."""
    GONE = b"G"
    """It arrived there: tells the new cookie for a moment."""


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Attributes:
        org_id: The organisation that the user is signed in to.
        user_id: The user.
        ref: Names the session where its id must not be shown; the same through renewals and moves. A UUIDv7.
        region: Where it is.
        privileges: What it may do, in the caller's terms.
        begun: When the user signed in: microseconds since 1970 by the cache's clock.
        ends: When it ends at the latest, likewise.
        idle_seconds: After how long without a request it ends.
        device: What the user sees of the device, such as its user agent.
        address: Where it was begun from.
        data: Short texts of the caller's.
        state: What the value in the cache is.
        target: With MOVING and GONE: the other region.
        follower: With MOVING and GONE: the raw id there; secret.
    """

    org_id: UUID
    user_id: UUID
    ref: UUID
    region: str
    privileges: frozenset[str]
    begun: int
    ends: int
    idle_seconds: int
    device: str = ""
    address: str = ""
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)
    state: State = State.LIVE
    target: str = ""
    follower: bytes = dataclasses.field(default=b"", repr=False)

    @property
    def begun_at(self) -> datetime:
        """When the user signed in."""
        return datetime.fromtimestamp(self.begun / MICROSECONDS, UTC)

    @property
    def ends_at(self) -> datetime:
        """When it ends at the latest."""
        return datetime.fromtimestamp(self.ends / MICROSECONDS, UTC)

    @property
    def superseded(self) -> bool:
        """Whether the id was replaced: good for the request that was under way, and for nothing new."""
        return self.state is State.SUPERSEDED


class _Body(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed; the rest is in the value's clear part, bound to it."""

    begun: int
    ends: int
    privileges: tuple[str, ...]
    device: str
    address: str
    data: dict[str, str]
    target: str = ""
    follower: bytes = b""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Body)


def encode(session: Session) -> bytes:
    """Give the bytes that are sealed.

    Raises:
        SessionFullError: They would be more than 4 KiB.
    """
    body = _Body(
        session.begun,
        session.ends,
        tuple(sorted(session.privileges)),
        session.device[:_MOST_TEXT],
        session.address[:_MOST_TEXT],
        dict(session.data),
        session.target,
        session.follower,
    )
    raw = _encoder.encode(body)
    if len(raw) > _MOST_BYTES:
        raise SessionFullError(f"a session holds {_MOST_BYTES} bytes, not {len(raw)}: keep less of it")
    return raw


def decode(
    raw: bytes, *, org_id: bytes, user_id: bytes, ref: bytes, region: str, idle_seconds: int, state: State
) -> Session:
    """Read what `encode` wrote, with what the clear part says.

    Raises:
        ValueError: It is nothing of the kind.
    """
    body = _decoder.decode(raw)
    return Session(
        UUID(bytes=org_id),
        UUID(bytes=user_id),
        UUID(bytes=ref),
        region,
        frozenset(body.privileges),
        body.begun,
        body.ends,
        idle_seconds,
        body.device,
        body.address,
        body.data,
        state,
        body.target,
        body.follower,
    )
