"""The private key of one process: generate, keep in a file, sign."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.keys import base64url

if TYPE_CHECKING:
    from pathlib import Path

_WRITABLE_BY_OTHERS = 0o022


class KeyFileError(Exception):
    """A key file is missing, malformed or unsafe; the text says which file and what to do."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An Ed25519 key and the issuer that it is bound to.

    Attributes:
        kid: The key's id: its RFC 7638 thumbprint, so that it can be computed again by anyone.
        issuer: Whom it signs for: `gateway`, `broker`, `platform` or `function:<name>`.
    """

    kid: str
    issuer: str
    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, issuer: str) -> PrivateKey:
        """Make a new key from the system's randomness."""
        return cls._bind(Ed25519PrivateKey.generate(), issuer)

    @classmethod
    def from_seed(cls, seed: bytes, issuer: str) -> PrivateKey:
        """Make the key of a 32-byte seed (RFC 8032 section 5.1.5).

        Raises:
            ValueError: The seed has another length.
        """
        return cls._bind(Ed25519PrivateKey.from_private_bytes(seed), issuer)

    @classmethod
    def _bind(cls, key: Ed25519PrivateKey, issuer: str) -> PrivateKey:
        return cls(thumbprint(key.public_key()), issuer, key)

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        """Read a key that `write` wrote.

        Raises:
            KeyFileError: No such file, not an Ed25519 JWK with `iss`, or a file that others may write.
        """
        try:
            if path.stat().st_mode & _WRITABLE_BY_OTHERS:
                raise KeyFileError(f"{path}: others may write this private key; run chmod 600 on it")
            document: dict[str, Any] = json.loads(path.read_bytes())
            if (document["kty"], document["crv"]) != ("OKP", "Ed25519"):
                raise KeyFileError(f"{path}: not an Ed25519 key")
            key = cls.from_seed(base64url.decode(document["d"]), str(document["iss"]))
        except OSError as error:
            raise KeyFileError(
                f"{path}: the private key cannot be read ({error.strerror}); set HAL9_IDENTITY_KEY to its path"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyFileError(f"{path}: not an Ed25519 private key as a JWK with iss and d (RFC 8037)") from error
        if document.get("kid", key.kid) != key.kid or document.get("x", key.x) != key.x:
            raise KeyFileError(f"{path}: kid or x do not belong to the private key")
        return key

    def write(self, path: Path) -> None:
        """Keep the key in a file that only its owner may read, replacing it atomically."""
        replace_atomically(path, self.document(), 0o600)

    def document(self) -> bytes:
        """Give the key as the JSON Web Key that `load` reads: for a place that keeps secrets, and no other."""
        document = {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": self.kid,
            "iss": self.issuer,
            "x": self.x,
            "d": base64url.encode(self._key.private_bytes_raw()),
        }
        return json.dumps(document).encode()

    @property
    def x(self) -> str:
        """The public half, 32 bytes as base64url."""
        return base64url.encode(self._key.public_key().public_bytes_raw())

    @property
    def public(self) -> Ed25519PublicKey:
        """The public half."""
        return self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes (RFC 8032)."""
        return self._key.sign(message)


def thumbprint(key: Ed25519PublicKey) -> str:
    """Give the key's RFC 7638 thumbprint, with the members of RFC 8037 section 2."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url.encode(key.public_bytes_raw())}"}}'
    return base64url.encode(hashlib.sha256(canonical.encode()).digest())


def replace_atomically(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that a reader sees the old or the new one whole, never less protected than `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
