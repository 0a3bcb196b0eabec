"""Master keys in files, one for each region: for one machine, and for tests.

Each file is a JSON Web Key Set of symmetric keys (RFC 7517, `kty` `oct`): the first wraps, the others still unwrap. A
region's file is made when something is first wrapped with it; where something is to be unwrapped, or found by what it
is hidden as, it is there, or was lost. Wrapping is AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA-256
(RFC 5869) makes from the master key, with the encryption context as associated data.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.datakeys.masters import KEY_BYTES, KeyRefusedError, KeysUnavailableError, encryption_context
from shared.identifiers import new_id
from shared.keys import base64url
from shared.randomness import SystemRandomness
from shared.strictjson import read_object
from shared.telemetry import logger

if TYPE_CHECKING:
    from uuid import UUID

    from shared.randomness import Randomness

_NONCE_BYTES: Final = 12
_KID_BYTES: Final = 16
_OTHERS: Final = 0o077
_log = logger(__name__)


class _Master(NamedTuple):
    """One master key: its id, and what is made from it."""

    kid: bytes
    wrapping: AESGCM
    mac: bytes


class FileMasterKeys:
    """Master keys below a folder.

    Args:
        folder: Holds `<region>.json`, readable by its owner only.
        randomness: Gives keys and nonces.
    """

    def __init__(self, folder: Path | str, randomness: Randomness | None = None) -> None:
        self._folder = Path(folder)
        self._randomness = randomness or SystemRandomness()
        self._regions: dict[str, list[_Master]] = {}

    async def generate(self, org_id: UUID, region: str) -> tuple[bytes, bytes]:
        """Make a data key; see `MasterKeys`."""
        master = (await self._masters(region, make=True))[0]
        key = self._randomness.bytes(KEY_BYTES)
        nonce = self._randomness.bytes(_NONCE_BYTES)
        return key, master.kid + nonce + master.wrapping.encrypt(nonce, key, _associated(org_id, region))

    async def unwrap(self, wrapped: bytes, org_id: UUID, region: str) -> bytes:
        """Give the data key; see `MasterKeys`."""
        kid, nonce = wrapped[:_KID_BYTES], wrapped[_KID_BYTES : _KID_BYTES + _NONCE_BYTES]
        for master in await self._masters(region):
            if master.kid == kid:
                try:
                    return master.wrapping.decrypt(
                        nonce, wrapped[_KID_BYTES + _NONCE_BYTES :], _associated(org_id, region)
                    )
                except (InvalidTag, ValueError) as error:
                    raise KeyRefusedError from error
        raise KeyRefusedError

    async def mac(self, region: str, message: bytes) -> bytes:
        """Give a keyed hash; see `MasterKeys`. It follows from the set's last key, which rotation leaves in place."""
        return hmac.digest((await self._masters(region))[-1].mac, message, "sha256")

    async def _masters(self, region: str, *, make: bool = False) -> list[_Master]:
        if region not in self._regions:
            self._regions[region] = await asyncio.to_thread(self._load, region, make)
        return self._regions[region]

    def _load(self, region: str, make: bool) -> list[_Master]:
        if not region or not region.replace("-", "").isalnum() or not region.isascii():
            raise ValueError(f"{region!r} is no region's name")
        path = self._folder / f"{region}.json"
        try:
            if make and not path.exists():
                self._make(path)
            return _read(path)
        except FileNotFoundError as error:
            # Where nothing was ever sealed none was made; where something was, whoever asked is told that it is lost.
            _log.warning("there are no master keys", file=str(path))
            raise KeysUnavailableError from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("the master keys cannot be used", file=str(path), error=f"{type(error).__name__}: {error}")
            raise KeysUnavailableError from error

    def _make(self, path: Path) -> None:
        """Write a first key, whole or not at all; of two processes that do so at once, one's is kept."""
        key = base64url.encode(self._randomness.bytes(KEY_BYTES))
        document = {"keys": [{"kty": "oct", "kid": new_id().hex, "k": key}]}
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{new_id().hex}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first
        finally:
            draft.unlink()


def _read(path: Path) -> list[_Master]:
    if path.stat().st_mode & _OTHERS:
        raise ValueError("others may read these master keys: run chmod 600 on the file")
    members = read_object(path.read_bytes())["keys"]
    if not members:
        raise ValueError("there is no key in the set")
    return [_master(member["kid"], base64url.decode(member["k"])) for member in members if member["kty"] == "oct"]


def _master(kid: str, key: bytes) -> _Master:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a master key must have {KEY_BYTES} bytes")
    return _Master(bytes.fromhex(kid), AESGCM(_derived(key, b"hal9 data keys: wrap")), _derived(key, b"hal9: mac"))


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key)


def _associated(org_id: UUID, region: str) -> bytes:
    return json.dumps(encryption_context(org_id, region), sort_keys=True).encode()
