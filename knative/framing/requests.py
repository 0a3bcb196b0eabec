"""How a request's body is framed and how large its head may be; what breaks the rules is refused."""

from __future__ import annotations

import http
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httptools

from knative.framing.targets import HOST
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_VERSIONS: Final = frozenset({"1.1", "1.0"})
_ONCE: Final = (b"host", b"content-length", b"content-type", b"transfer-encoding", b"expect")
_FIELD_OVERHEAD: Final = 4  # ": " and the line's end
_FRAMING_PER_BYTE: Final = 16  # about Go's measure
_METHOD: Final = re.compile(rb"([A-Z-]{1,24}) /")
_METHODS: Final = frozenset(method.value.encode("ascii") for method in http.HTTPMethod)


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """How large a request's head may be.

    Attributes:
        bytes: request line and fields together; also trailers together with what frames chunks.
        count: fields.
        target_bytes: the request target.
    """

    bytes: int = 32 * 1024
    count: int = 100
    target_bytes: int = 16 * 1024

    def target_too_long(self) -> Problem:
        """Give the problem of a target beyond the limit."""
        return Problem("uri-too-long", detail=f"Send a path and query of at most {self.target_bytes} bytes.")

    def too_large(self) -> Problem:
        """Give the problem of a head, or trailers, beyond the limits."""
        detail = f"Send at most {self.count} header fields, of {self.bytes} bytes together."
        return Problem("headers-too-large", detail=detail)


DEFAULT_LIMITS: Final = HeaderLimits()
"""What a server takes of whoever is in front of it, unless it says otherwise."""


class Framing:
    """What a request's head says about its body.

    Attributes:
        length: Content-Length in bytes; None when there is none.
        chunked: The body comes in chunks.
        waits: The peer waits for a 100 (Continue) before it sends its body.
        fields: The head's fields by name; of one that stands twice the last.
    """

    __slots__ = ("chunked", "fields", "length", "waits")

    def __init__(self, fields: dict[bytes, bytes], length: int | None, *, chunked: bool, waits: bool) -> None:
        self.fields = fields
        self.length = length
        self.chunked = chunked
        self.waits = waits

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return self.chunked or bool(self.length)


def framing_of(
    version: str, fields: Sequence[tuple[bytes, bytes]], upgrade_for: Callable[[], bytes] | None = None
) -> Framing:
    """Read how a request's body is framed.

    Args:
        version: As the parser has it: `1.1`.
        fields: Names in lower case; at least those that the rules are about.
        upgrade_for: Gives the method of a request for which the parser would change the protocol; None for others.

    Raises:
        Problem: 505, another version; 417, an expectation; 501, a transfer coding other than `chunked`; 400, what could
            be read in two ways: a field twice that must stand once, no Host or one that is no host, both lengths, a
            length that is no number, chunks in HTTP/1.0, a body or a tunnel behind a wish to change the protocol.
    """
    if version not in _VERSIONS:
        raise Problem("http-version-unsupported")
    said = dict(fields)
    if len(said) != len(fields):
        _refuse_repeated(fields)
    host = said.get(b"host")
    if host is None and version == "1.1":
        raise Problem("bad-request", detail="Send exactly one Host header field.")
    if host and HOST.fullmatch(host) is None:
        raise Problem("bad-request", detail="Send a Host that is a name or an address, with or without a port.")
    length, coding, expected = said.get(b"content-length"), said.get(b"transfer-encoding"), said.get(b"expect")
    if coding is not None:
        _check_coding(version, coding, length)
    elif length is not None and not length.isdigit():
        raise Problem("bad-request", detail="Send a Content-Length that is one number.")
    if expected is not None and expected.strip().lower() != b"100-continue":
        raise Problem("expectation-failed")
    framing = Framing(
        said, None if length is None else int(length), chunked=coding is not None, waits=expected is not None
    )
    if upgrade_for is not None and (framing.has_body or upgrade_for() == b"CONNECT"):
        # Without a body the wish is ignored, as RFC 9110 section 7.8 lets us; with one, the parser takes the body for
        # the other protocol.
        raise Problem("bad-request", detail="This server speaks HTTP/1.1 only: send no Upgrade header, no CONNECT.")
    return framing


def _refuse_repeated(fields: Iterable[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in fields]
    for name in _ONCE:
        if names.count(name) > 1:
            raise Problem("bad-request", detail=f"Send exactly one {name.decode().title()} header field.")


def _check_coding(version: str, coding: bytes, length: bytes | None) -> None:
    if coding.strip().lower() != b"chunked":
        raise Problem("bad-request", 501, "The only transfer coding is `chunked`.")
    if length is not None or version == "1.0":
        raise Problem("bad-request", detail="Send Transfer-Encoding without Content-Length, and with HTTP/1.1 only.")


def field_bytes(name: bytes, value: bytes) -> int:
    """Give how much a field counts against `HeaderLimits.bytes`."""
    return len(name) + len(value) + _FIELD_OVERHEAD


def framing_left(spent: int, content: int) -> int:
    """Give what chunks still owe after a piece of content: framing counts as header, but for a due to each byte.

    Args:
        spent: Bytes that came since the head, content and framing, less what was forgiven.
        content: Bytes of the piece.
    """
    return max(0, spent - (1 + _FRAMING_PER_BYTE) * content)


def malformed(error: httptools.HttpParserError, data: bytes) -> Problem:
    """Give the problem of a request that could not be parsed: in the parser's words, which hold nothing of ours.

    Args:
        error: What the parser raised.
        data: What it was given last.
    """
    method = _METHOD.match(data) if isinstance(error, httptools.HttpParserInvalidMethodError) else None
    if method is not None and method[1] not in _METHODS:  # else what was given begins with an earlier, sound request
        return Problem("method-unimplemented")
    if isinstance(error, httptools.HttpParserCallbackError):
        return Problem("bad-request", detail="The request is not well-formed HTTP/1.1.")
    return Problem("bad-request", detail=f"The request is not well-formed HTTP/1.1: {error}.")
