"""JSON (RFC 8259) read strictly: what two readers could understand differently is refused.

Refused beside malformed text: invalid UTF-8, unpaired surrogates, a byte order mark, a name twice in one object,
nesting beyond a bound, numbers beyond what a double or 64 bits hold. Promises: bounded memory and linear time on
hostile text.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

MAX_NESTING: Final = 64
"""Arrays and objects within one another, at most."""

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_OPENING, _CLOSING, _OPENING_ARRAY = b"{}["
_WHITE_SPACE: Final = b" \t\n\r"  # JSON's own; all else beside the value is an error of grammar
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
    try:
        value = _decode(text)
    except RecursionError:
        raise NotStrictJson(f"is nested more than {max_nesting} deep") from None
    except UnicodeDecodeError:
        raise NotStrictJson("is not valid UTF-8") from None
    except msgspec.ValidationError as error:
        raise NotStrictJson(f"has a number that is out of range ({error})") from None
    except msgspec.DecodeError as error:
        raise NotStrictJson(f"is not valid JSON ({error})") from None
    if text.count(b"{") + text.count(b"[") > max_nesting and _nested_deeper(text, max_nesting):
        raise NotStrictJson(f"is nested more than {max_nesting} deep")
    if not _no_name_was_lost(text, value):
        _refuse_duplicates(text)
    return value


def _no_name_was_lost(text: bytes, value: Any) -> bool:
    """Tell quickly that the value holds every name of the text; False says only that one must look closer.

    Of a name that stands twice the decoder keeps one, and with the other its two quotes are lost. An escaped quote must
    be written as the encoder does, not as a code point.
    """
    written = _encode(value)
    return written == text or (written.count(b'"') == text.count(b'"') and b"\\u" not in text)


def is_strict(text: bytes) -> bool:
    """Tell whether `read` takes the text, and nothing but the value stands in it (no white space before or after)."""
    try:
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


def _nested_deeper(text: bytes, bound: int) -> bool:
    """Tell whether valid JSON is nested deeper: take away its innermost pairs, level by level."""
    brackets = _STRINGS.sub(b"", text).translate(None, _NOT_BRACKETS)
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
            if name in names:
                twice.append(name)
            names.add(name)

    json.loads(text.decode(), object_pairs_hook=note, parse_int=len, parse_float=len)
    if twice:
        named = ", ".join(json.dumps(name) for name in dict.fromkeys(twice[:10]))
        raise NotStrictJson(f"has a name twice in one object: {named}")
