"""Sealed streams: what lies in the store is compressed, then encrypted in chunks that cannot be cut, moved or swapped.

A stream is `magic | length of the wrapped key | wrapped key | salt | nonce prefix`, then chunks of AES-256-GCM (NIST
SP 800-38D), each of 1 MiB of compressed data and 16 bytes of tag; the last one is shorter or full, and says that it is
the last. The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7): a nonce is prefix | chunk's number | 1 for the last one.
Associated with each chunk are also what the stream is (backup or archive, and the file in it), the number, the last
flag, and a hash of the header. The key of a stream is made by HKDF-SHA-256 (RFC 5869) from the data key and the
stream's own salt, so that no two streams share a nonce. The data key is wrapped by a master key, which is in no
backup.
Promises: memory is a few MiB whatever the length; a byte that was changed, a chunk that is missing, doubled or of
another stream, an end that was cut off, and a stream that lies under another's name are refused.
Does not: hide lengths, or that a stream is an older one of the same name (whoever reads compares hashes, where it has
them).
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.backup.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable

    from shared.randomness import Randomness

CHUNK_BYTES: Final = 1 << 20
_MAGIC: Final = b"HAL9BK1\n"
_TAG_BYTES: Final = 16
_SALT_BYTES: Final = 32
_PREFIX_BYTES: Final = 7
_LENGTH_BYTES: Final = 2
_NUMBER_BYTES: Final = 4
_KEY_BYTES: Final = 32
_INFO: Final = b"hal9 backup: stream"
_LEVEL: Final = 1
"""Of zlib: what is left to gain by a higher one costs several times the CPU."""

_MOST_PLAIN: Final = 1 << 22
"""Bytes that are decompressed at once: a megabyte of zeros is a kilobyte compressed."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, with itself as its master key wrapped it."""

    wrapped: bytes
    raw: bytes = field(repr=False)


async def sealed(key: DataKey, what: str, chunks: AsyncIterable[bytes], randomness: Randomness) -> AsyncIterator[bytes]:
    """Give a stream, sealed.

    Args:
        key: The data key; its wrapped form goes into the header.
        what: What the stream is: it is opened under the same text only.
        chunks: The stream's bytes, in pieces of any size.
        randomness: Gives salt and nonce prefix.
    """
    header = _header(key.wrapped, randomness.bytes(_SALT_BYTES), randomness.bytes(_PREFIX_BYTES))
    cipher = _Cipher(key.raw, what, header)
    yield header
    compressor = zlib.compressobj(_LEVEL)
    waiting = bytearray()
    async for chunk in chunks:
        waiting += await asyncio.to_thread(compressor.compress, chunk)
        while len(waiting) > CHUNK_BYTES:  # a full one may be the last
            yield await asyncio.to_thread(cipher.seal, bytes(waiting[:CHUNK_BYTES]), last=False)
            del waiting[:CHUNK_BYTES]
    waiting += compressor.flush()
    while len(waiting) > CHUNK_BYTES:
        yield await asyncio.to_thread(cipher.seal, bytes(waiting[:CHUNK_BYTES]), last=False)
        del waiting[:CHUNK_BYTES]
    yield await asyncio.to_thread(cipher.seal, bytes(waiting), last=True)


async def opened(
    unwrap: Callable[[bytes], Awaitable[bytes]], what: str, chunks: AsyncIterable[bytes]
) -> AsyncGenerator[bytes, None]:
    """Give what was sealed. Each piece that is given is genuine; that it is all is known at the end.

    Args:
        unwrap: Gives the data key of its wrapped form. May raise `shared.datakeys.KeyRefusedError`.
        what: What the stream is.
        chunks: The sealed bytes, in pieces of any size.

    Raises:
        DamagedError: It is not what was sealed under that text.
    """
    reader = _Reader(what, aiter(chunks))
    wrapped, header = await reader.header()
    cipher = _Cipher(await unwrap(wrapped), what, header)
    decompressor = zlib.decompressobj()
    last = False
    while not last:
        chunk, last = await reader.chunk()
        rest = await asyncio.to_thread(cipher.open, chunk, last=last)
        while rest:
            plain = await asyncio.to_thread(decompressor.decompress, rest, _MOST_PLAIN)
            rest = decompressor.unconsumed_tail
            if plain:
                yield plain
    if plain := decompressor.flush():
        yield plain


def _header(wrapped: bytes, salt: bytes, prefix: bytes) -> bytes:
    return _MAGIC + len(wrapped).to_bytes(_LENGTH_BYTES, "big") + wrapped + salt + prefix


class _Cipher:
    """Seals or opens the chunks of one stream, in their order."""

    def __init__(self, raw: bytes, what: str, header: bytes) -> None:
        salt = header[-_SALT_BYTES - _PREFIX_BYTES : -_PREFIX_BYTES]
        self._aead = AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=salt, info=_INFO).derive(raw))
        self._prefix = header[-_PREFIX_BYTES:]
        self._stream = hashlib.sha256(header).digest() + what.encode() + b"\0"
        self._what = what
        self._number = 0

    def _next(self, *, last: bool) -> tuple[bytes, bytes]:
        """Give nonce and associated data of the next chunk."""
        place = self._number.to_bytes(_NUMBER_BYTES, "big") + bytes([last])
        self._number += 1
        return self._prefix + place, self._stream + place

    def seal(self, plain: bytes, *, last: bool) -> bytes:
        nonce, associated = self._next(last=last)
        return self._aead.encrypt(nonce, plain, associated)

    def open(self, sealed_chunk: bytes, *, last: bool) -> bytes:
        nonce, associated = self._next(last=last)
        try:
            return self._aead.decrypt(nonce, sealed_chunk, associated)
        except (InvalidTag, ValueError) as error:
            raise DamagedError(self._what) from error


class _Reader:
    """Cuts a sealed stream into its header and its chunks."""

    def __init__(self, what: str, pieces: AsyncIterator[bytes]) -> None:
        self._what = what
        self._pieces = pieces
        self._waiting = bytearray()

    async def _fill(self, count: int) -> None:
        """Have at least that many bytes waiting, or all that there are."""
        while len(self._waiting) < count:
            piece = await anext(self._pieces, None)
            if piece is None:
                return
            self._waiting += piece

    async def _take(self, count: int) -> bytes:
        await self._fill(count)
        if len(self._waiting) < count:
            raise DamagedError(self._what)
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken

    async def header(self) -> tuple[bytes, bytes]:
        """Give the wrapped key, and the whole header."""
        begin = await self._take(len(_MAGIC) + _LENGTH_BYTES)
        if not begin.startswith(_MAGIC):
            raise DamagedError(self._what)
        wrapped = await self._take(int.from_bytes(begin[len(_MAGIC) :], "big"))
        return wrapped, begin + wrapped + await self._take(_SALT_BYTES + _PREFIX_BYTES)

    async def chunk(self) -> tuple[bytes, bool]:
        """Give the next chunk, and whether nothing comes after it."""
        size = CHUNK_BYTES + _TAG_BYTES
        await self._fill(size + 1)
        last = len(self._waiting) <= size
        return await self._take(min(size, len(self._waiting))), last
