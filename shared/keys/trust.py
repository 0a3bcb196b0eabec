"""Whose signatures a process believes: a JSON Web Key Set whose keys are bound to issuers.

The file is read again when it changed, looked at no more than once in a few seconds, so that a key can be added or
withdrawn while everything runs; a flood of unknown key ids costs nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.clock import SystemClock
from shared.keys import base64url
from shared.keys.private import KeyFileError, PrivateKey, replace_atomically, thumbprint
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.clock import Clock

LOOK_AGAIN_SECONDS: Final = 2.0


@settings
class TrustSettings:
    """Where a process finds its own key and the keys that it believes."""

    identity_key: Path | None = setting(
        "HAL9_IDENTITY_KEY",
        default=None,
        doc="Path of this process's private key: an Ed25519 JWK with `iss`, mode 0600.",
    )
    trust: Path | None = setting(
        "HAL9_TRUST",
        default=None,
        doc="Path of the JSON Web Key Set whose keys this process believes; each key carries its `iss`.",
    )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A believed key.

    Attributes:
        kid: The key's id.
        issuer: The only issuer that it speaks for.
    """

    kid: str
    issuer: str
    _key: Ed25519PublicKey = field(repr=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the signature is this key's over the message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def document(self) -> dict[str, str]:
        """Give the key as a member of a JSON Web Key Set."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.kid,
            "iss": self.issuer,
            "x": base64url.encode(self._key.public_bytes_raw()),
        }

    @classmethod
    def of(cls, key: PrivateKey) -> PublicKey:
        """Give the public half of a private key, bound to the same issuer."""
        return cls(key.kid, key.issuer, key.public)


class Trust:
    """The believed keys, by key id.

    Args:
        keys: The keys to begin with.
        path: The file that they came from, looked at again for changes; None for a fixed set.
        clock: Decides when the file is looked at again.
    """

    def __init__(self, keys: Iterable[PublicKey], path: Path | None = None, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._looked = self._clock.monotonic()
        self._version = _version(path)
        self.generation = 0
        self._keys: dict[str, PublicKey] = {}
        self._keep(keys)

    @classmethod
    def load(cls, path: Path, clock: Clock | None = None) -> Trust:
        """Read the trust file.

        Raises:
            KeyFileError: No such file, or not a set of Ed25519 keys with `kid` and `iss`.
        """
        version_first = cls([], path, clock)
        version_first._keep(_read(path))
        return version_first

    def find(self, kid: str) -> PublicKey | None:
        """Give the key of that id, or None when it is not believed."""
        self.refresh()
        return self._keys.get(kid)

    def refresh(self) -> int:
        """Look whether the file changed, at most once in `LOOK_AGAIN_SECONDS`; give the set's generation.

        A file that became unreadable leaves the set as it was: a half-written file must not stop a process that works.
        """
        now = self._clock.monotonic()
        if self._path is not None and now - self._looked >= LOOK_AGAIN_SECONDS:
            self._looked = now
            version = _version(self._path)
            if version != self._version:
                self._reread(self._path, version)
        return self.generation

    def _reread(self, path: Path, version: tuple[int, ...]) -> None:
        try:
            keys = _read(path)
        except KeyFileError:
            return
        self._version = version
        self._keep(keys)

    def _keep(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.kid: key for key in keys}
        self.generation += 1


def write_trust(path: Path, keys: Iterable[PrivateKey | PublicKey]) -> None:
    """Write the trust file of these keys' public halves, replacing it atomically."""
    replace_atomically(path, trust_document(keys), 0o644)


def trust_document(keys: Iterable[PrivateKey | PublicKey]) -> bytes:
    """Give the trust file of these keys' public halves."""
    members = [(key if isinstance(key, PublicKey) else PublicKey.of(key)).document() for key in keys]
    return json.dumps({"keys": members}, indent=1).encode()


def _version(path: Path | None) -> tuple[int, ...]:
    if path is None:
        return ()
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _read(path: Path) -> list[PublicKey]:
    try:
        members: list[dict[str, Any]] = json.loads(path.read_bytes())["keys"]
        keys = [_public(path, member) for member in members]
    except OSError as error:
        raise KeyFileError(
            f"{path}: the trust file cannot be read ({error.strerror}); set HAL9_TRUST to its path"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(
            f"{path}: not a JSON Web Key Set of Ed25519 keys with kid, iss and x (RFC 7517, RFC 8037)"
        ) from error
    if len({key.kid for key in keys}) != len(keys):
        raise KeyFileError(f"{path}: two keys have the same kid; one key speaks for one issuer")
    return keys


def _public(path: Path, member: dict[str, Any]) -> PublicKey:
    if (member["kty"], member["crv"]) != ("OKP", "Ed25519"):
        raise KeyFileError(f"{path}: only Ed25519 keys are believed")
    key = Ed25519PublicKey.from_public_bytes(base64url.decode(member["x"]))
    if member["kid"] != thumbprint(key):
        raise KeyFileError(f"{path}: kid must be the key's RFC 7638 thumbprint")
    return PublicKey(member["kid"], str(member["iss"]), key)
