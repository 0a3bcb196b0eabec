"""JSON (RFC 8259) read strictly, the one reader of it: what two readers could understand differently is refused.

Refused beside malformed text: invalid UTF-8, unpaired surrogates, a byte order mark, a name twice in one object,
nesting beyond a bound, numbers beyond a double, integers of more than 4300 digits, more values than anybody means.
Promises: what is read takes at most some ten times the text's length and 32 MiB, and linear time in C, on hostile text
as well: values are counted before the first of them is made.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING: Final = 64
"""Arrays and objects within one another, at most."""

MAX_CONTAINERS: Final = 1 << 16
"""Arrays and objects in one text, at most: an empty one is two bytes of text and up to eighty of memory."""

MAX_VALUES: Final = 1 << 18
"""Values in one text, at most."""

_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_OPENING, _CLOSING, _OPENING_ARRAY = b"{}["
_WHITE_SPACE: Final = b" \t\n\r"  # JSON's own; all else beside the value is an error of grammar
_QUOTES_OF_A_VALUE: Final = 4  # a name and a text
_MOST_NAMED: Final = 10
_ESCAPED_NUL: Final = b"\\u0000"  # unescaped it is no JSON
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class NotStrictJson(ValueError):  # noqa: N818 - the name says what the text is
    """The text is not JSON, or is JSON that readers could understand differently; the message says why."""


def read(text: bytes, *, max_nesting: int = MAX_NESTING) -> Any:
    """Give the value of one JSON text.

    Args:
        text: UTF-8.
        max_nesting: How many arrays and objects may stand within one another.

    Raises:
        NotStrictJson: The text is refused.
    """
    if len(text) > MAX_CONTAINERS:
        _refuse_too_many(text)
    try:
        value = _decode(text)
    except RecursionError:
        raise NotStrictJson(f"is nested more than {max_nesting} deep") from None
    except UnicodeDecodeError:
        raise NotStrictJson(f"is not valid UTF-8 (byte {_first_wrong_byte(text)})") from None
    except msgspec.ValidationError as error:
        raise NotStrictJson(f"has a number that is out of range ({error})") from None
    except msgspec.DecodeError as error:
        halves = ", or has half of a surrogate pair" if _ESCAPED_SURROGATE.search(text) else ""
        raise NotStrictJson(f"is not valid JSON ({error}){halves}") from None
    if text.count(b"{") + text.count(b"[") > max_nesting and _nested_deeper(text, max_nesting):
        raise NotStrictJson(f"is nested more than {max_nesting} deep")
    if not _no_name_was_lost(text, value):
        _refuse_duplicates(text)
    return value


def read_object(text: bytes) -> dict[str, Any]:
    """Give the members of one JSON object.

    Raises:
        NotStrictJson: The text is refused, or is no object.
    """
    value = read(text)
    if type(value) is not dict:
        raise NotStrictJson("is not an object")
    return value


def holds_nul(text: bytes, value: Any) -> bool:
    """Tell whether U+0000, which PostgreSQL does not hold, is in a string or name of the value read from a text."""
    return _ESCAPED_NUL in text and any("\0" in one for one in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        now = waiting.pop()
        if isinstance(now, str):
            yield now
        elif isinstance(now, dict):
            waiting += [*now, *now.values()]
        elif isinstance(now, list):
            waiting += now


def is_strict(text: bytes) -> bool:
    """Tell whether `read` takes the text, and nothing but the value stands in it (no white space before or after)."""
    try:
        if len(text) > MAX_CONTAINERS:
            _refuse_too_many(text)
        value = _decode(text)
        # The usual object: a colon for each member that it has, so none is lost, and none of them has members.
        if type(value) is dict and text.count(b":") == len(value) and _OPENING_ARRAY not in text:
            return text[0] == _OPENING and text[-1] == _CLOSING
        if text.strip(_WHITE_SPACE) is not text:
            return False
        read(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, NotStrictJson):
        return False
    return True


def _first_wrong_byte(text: bytes) -> int:
    """Say where a text stops being UTF-8: the decoder counts from the beginning of the string that it was reading."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _refuse_too_many(text: bytes) -> None:
    """Refuse what would take much more memory than its text, before anything is made of it; a short text cannot.

    Raises:
        NotStrictJson: It has more values, or more arrays and objects, than the bounds.
    """
    if not _more_than_bounds(text):
        return
    # Texts may hold what looks like structure. Of names and texts alone there are too many if there are so many quotes.
    if _unescaped(text).count(b'"') > _QUOTES_OF_A_VALUE * MAX_VALUES or _more_than_bounds(_structure(text)):
        raise NotStrictJson(f"has more than {MAX_CONTAINERS} arrays and objects, or more than {MAX_VALUES} values")


def _more_than_bounds(text: bytes) -> bool:
    containers = text.count(b"[") + text.count(b"{")
    # A comma before each value but a container's first, and that is at most one for each container.
    return containers > MAX_CONTAINERS or containers + text.count(b",") >= MAX_VALUES


def _unescaped(text: bytes) -> bytes:
    """Leave out escaped backslashes and quotes: each quote that is left begins or ends a string."""
    return text.replace(rb"\\", b"").replace(rb"\"", b"")


def _structure(text: bytes) -> bytes:
    """Leave out all strings. Of text that is no JSON it may leave out more, but nothing before the first fault."""
    return b"".join(_unescaped(text).split(b'"')[::2])


def _no_name_was_lost(text: bytes, value: Any) -> bool:
    """Tell quickly that the value holds every name of the text; False says only that one must look closer.

    Of a name that stands twice the decoder keeps one, and with the other its two quotes are lost. An escaped quote must
    be written as the encoder does, not as a code point.
    """
    written = _encode(value)
    return written == text or (written.count(b'"') == text.count(b'"') and b"\\u" not in text)


def _nested_deeper(text: bytes, bound: int) -> bool:
    """Tell whether valid JSON is nested deeper: take away its innermost pairs, level by level."""
    brackets = _structure(text).translate(None, _NOT_BRACKETS)
    for _ in range(bound):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"\x00").replace(b"{}", b"\x00").replace(b"\x00", b"")
    return bool(brackets)


def _refuse_duplicates(text: bytes) -> None:
    twice: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names: set[str] = set()
        for name, _ in pairs:
            if name in names and len(twice) < _MOST_NAMED:
                twice.append(name)
            names.add(name)

    json.loads(text.decode(), object_pairs_hook=note, parse_int=len, parse_float=len)
    if twice:
        named = ", ".join(json.dumps(name) for name in dict.fromkeys(twice))
        raise NotStrictJson(f"has a name twice in one object: {named}")
