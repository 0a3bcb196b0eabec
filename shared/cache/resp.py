"""RESP2, the protocol of Redis and Valkey: commands to bytes, bytes to replies.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2: simple strings, errors, integers, bulk
strings, arrays).
Promises: replies are the same however the bytes are cut into pieces; what is malformed, too long or too deep is a
`ProtocolError`.
Does not: speak RESP3 (no HELLO is sent, so no server answers in it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Argument: TypeAlias = "str | bytes | int | float"
Reply: TypeAlias = "str | bytes | int | list[Reply] | CacheError | None"

_MAX_LINE_BYTES: Final = 64 * 1024
_MAX_BULK_BYTES: Final = 512 * 2**20
_MAX_DEPTH: Final = 16


class CacheError(Exception):
    """The server refused a command. `code` is the first word, such as WRONGTYPE or NOSCRIPT."""

    @property
    def code(self) -> str:
        """The error's kind."""
        return str(self).partition(" ")[0]


class ProtocolError(Exception):
    """The bytes are not RESP2: it is another server, or the connection is out of step."""


def encode(arguments: tuple[Argument, ...]) -> bytes:
    """A command as an array of bulk strings; text goes as UTF-8."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Parser:
    """Bytes in, replies out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0
        # The arrays that are open: their items so far, and how many there will be.
        self._open: list[tuple[list[Reply], int]] = []

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that are complete with these further bytes. Simple strings are str, bulk strings bytes.

        Raises:
            ProtocolError: the bytes are not RESP2; the parser is of no use afterwards.
        """
        self._buffer += data
        while (item := self._item()) is not None:
            complete, value = item
            if complete and self._close(value):
                yield self._finished
        del self._buffer[: self._position]
        self._position = 0

    def _close(self, value: Reply) -> bool:
        """Put a value into the innermost open array; whether that completes the reply."""
        while self._open:
            items, count = self._open[-1]
            items.append(value)
            if len(items) < count:
                return False
            self._open.pop()
            value = items
        self._finished: Reply = value
        return True

    def _item(self) -> tuple[bool, Reply] | None:
        """The next value, or the next array's beginning (False); None when its bytes are not all there."""
        end = self._buffer.find(b"\r\n", self._position)
        if end < 0:
            if len(self._buffer) - self._position > _MAX_LINE_BYTES:
                raise ProtocolError("a line is too long")
            return None
        kind, line = self._buffer[self._position : self._position + 1], bytes(self._buffer[self._position + 1 : end])
        if kind == b"$":
            return self._bulk(_length(line, _MAX_BULK_BYTES), end + 2)
        self._position = end + 2
        if kind == b"+":
            return True, line.decode("utf-8", "replace")
        if kind == b"-":
            return True, CacheError(line.decode("utf-8", "replace"))
        if kind == b":":
            return True, _integer(line)
        if kind == b"*":
            return self._array(_length(line, _MAX_BULK_BYTES))
        raise ProtocolError(f"{bytes(kind)!r} begins no reply")

    def _bulk(self, length: int | None, start: int) -> tuple[bool, Reply] | None:
        if length is None:
            self._position = start
            return True, None
        if len(self._buffer) < start + length + 2:
            return None
        if self._buffer[start + length : start + length + 2] != b"\r\n":
            raise ProtocolError("a bulk string is longer than it says")
        self._position = start + length + 2
        return True, bytes(self._buffer[start : start + length])

    def _array(self, count: int | None) -> tuple[bool, Reply]:
        if count is None:
            return True, None
        if count == 0:
            return True, []
        if len(self._open) >= _MAX_DEPTH:
            raise ProtocolError("arrays are nested too deeply")
        self._open.append(([], count))
        return False, None


def _integer(text: bytes) -> int:
    # int() would take blanks and underscores as well.
    if not text.removeprefix(b"-").removeprefix(b"+").isdigit():
        raise ProtocolError(f"{text[:40]!r} is not an integer")
    return int(text)


def _length(text: bytes, most: int) -> int | None:
    """A length; None stands for a null (-1)."""
    length = _integer(text)
    if length == -1:
        return None
    if not 0 <= length <= most:
        raise ProtocolError(f"a length of {length} is out of range")
    return length
