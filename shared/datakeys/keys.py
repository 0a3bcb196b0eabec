"""The unwrapped data keys of this process: kept for minutes, fetched once for all who wait."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared import deadlines
from shared.clock import SystemClock
from shared.datakeys import rows
from shared.datakeys.masters import KeyRefusedError, KeysUnavailableError
from shared.datakeys.rows import WrappedKey
from shared.flights import Flights
from shared.identifiers import new_id
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from datetime import datetime

    from shared.clock import Clock
    from shared.database import Database
    from shared.datakeys.masters import MasterKeys

_KEPT: Final = 10_000
_log = logger(__name__)
_unwrapped = counter("hal9_data_keys_unwrapped_total", "Data keys that this process had unwrapped by their master key.")
_refused = counter("hal9_data_keys_refused_total", "Wrapped data keys that their master key refused.")

# Organisation, region, and the key's id; None in its place for the one that seals.
_Place: TypeAlias = "tuple[UUID, str, UUID | None]"


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key of one organisation in one region.

    Attributes:
        key_id: Names it in what it sealed.
        aead: AES-256-GCM with it.
    """

    key_id: UUID
    aead: AESGCM = field(repr=False)


@dataclass(slots=True)
class _Fetch:
    """What is noted of a key that is being fetched: whether it is to be forgotten when it comes."""

    forgotten: bool = False


class DataKeys:
    """The data keys of all organisations.

    Args:
        directory: The database that holds the directory.
        masters: The regions' master keys.
        seconds: How long an unwrapped key is kept.
        clock: Says how long that is.

    Attributes:
        directory: As it was given.
        masters: Likewise.
    """

    def __init__(
        self, directory: Database, masters: MasterKeys, seconds: float = 300.0, clock: Clock | None = None
    ) -> None:
        self.directory = directory
        self.masters = masters
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._kept: OrderedDict[_Place, tuple[DataKey, float]] = OrderedDict()
        self._coming: Flights[_Place, _Fetch, DataKey | None] = Flights()

    async def current(self, org_id: UUID, region: str) -> DataKey:
        """Give the key that seals; an organisation's first one in a region is made now.

        Raises:
            Problem: 404 `organisation-unknown`; 503 `keys-unavailable`, `shard-unavailable`.
        """
        key = await self._get((org_id, region, None))
        if key is None:  # there is one, and its master key refused it: that is ours to mend, not the caller's
            raise KeysUnavailableError
        return key

    async def find(self, org_id: UUID, region: str, key_id: UUID) -> DataKey | None:
        """Give the key of that id; None when the organisation has no such key there: it was shredded, or never was.

        Raises:
            Problem: 503 `keys-unavailable`, `shard-unavailable`.
        """
        return await self._get((org_id, region, key_id))

    async def any_in(self, region: str) -> bool:
        """Whether any organisation has a key in a region; where none has, nothing was sealed that could be found.

        Raises:
            Problem: 503 `shard-unavailable`.
        """
        return await rows.any_in(self.directory, region)

    async def rotate(self, org_id: UUID, region: str) -> DataKey:
        """Make a new key the one that seals, here at once, elsewhere within `seconds`; the old one still opens."""
        before = await rows.current(self.directory, org_id, region)
        await self._make(org_id, region, None if before is None else before.key_id)
        self._kept.pop((org_id, region, None), None)
        return await self.current(org_id, region)

    async def prune(self, org_id: UUID, superseded_before: datetime) -> int:
        """Delete keys that were superseded so long ago that nothing sealed with them is valid any more; how many.

        Args:
            org_id: The organisation.
            superseded_before: By the database's clock; leave the lifetime of what was sealed, and `seconds`.
        """
        return await rows.delete(self.directory, org_id, superseded_before=superseded_before)

    async def shred(self, org_id: UUID) -> int:
        """Delete the organisation's keys in all regions, and forget them here; how many they were."""
        deleted = await rows.delete(self.directory, org_id)
        self.forget(org_id)
        return deleted

    def forget(self, org_id: UUID) -> None:
        """Drop this process's copies of the organisation's keys, also of those that are being fetched."""
        for place in [place for place in self._kept if place[0] == org_id]:
            del self._kept[place]
        for place, fetch in self._coming.notes():
            fetch.forgotten = fetch.forgotten or place[0] == org_id

    async def _get(self, place: _Place) -> DataKey | None:
        kept = self._kept.get(place)
        if kept is not None and self._clock.monotonic() < kept[1]:
            self._kept.move_to_end(place)
            return kept[0]
        coming = self._coming.join(
            place, _Fetch, lambda fetch: self._fetch(place, fetch), lambda fetch: not fetch.forgotten
        )
        return await deadlines.awaited(coming)

    async def _fetch(self, place: _Place, fetch: _Fetch) -> DataKey | None:
        begun = self._clock.monotonic()
        org_id, region, key_id = place
        wrapped = await self._wrapped(org_id, region, key_id)
        if wrapped is None:
            return None
        try:
            raw = await self.masters.unwrap(wrapped.wrapped, org_id, region)
        except KeyRefusedError:
            _refused.add()
            _log.error("a wrapped data key was refused by its master key", key_id=str(wrapped.key_id), region=region)
            return None
        _unwrapped.add()
        key = DataKey(wrapped.key_id, AESGCM(raw))
        if not fetch.forgotten:
            for kept in {place, (org_id, region, wrapped.key_id)}:
                self._keep(kept, key, begun + self._seconds)
        return key

    async def _wrapped(self, org_id: UUID, region: str, key_id: UUID | None) -> WrappedKey | None:
        if key_id is not None:
            return await rows.find(self.directory, org_id, region, key_id)
        return await rows.current(self.directory, org_id, region) or await self._make(org_id, region, None)

    async def _make(self, org_id: UUID, region: str, instead_of: UUID | None) -> WrappedKey:
        _, wrapped = await self.masters.generate(org_id, region)
        return await rows.keep(self.directory, org_id, region, WrappedKey(new_id(), wrapped), instead_of=instead_of)

    def _keep(self, place: _Place, key: DataKey, until: float) -> None:
        self._kept[place] = (key, until)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
