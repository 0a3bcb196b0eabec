"""The strict JSON reader's bounds: hostile text costs no memory, and large honest text is read."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import strictjson
from shared.strictjson import MAX_CONTAINERS, MAX_VALUES, NotStrictJson

LENGTH: Final = 8 << 20
"""The longest body that any function takes."""


def peak_of(text: bytes) -> tuple[str, int]:
    """Read a text; give why it is refused, and how many bytes of memory that took at most."""
    tracemalloc.start()
    try:
        strictjson.read(text)
    except NotStrictJson as error:
        return str(error), tracemalloc.get_traced_memory()[1]
    else:
        return "", tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def filled(item: bytes) -> bytes:
    """Give an array of one item over and over, of `LENGTH` bytes."""
    return b"[" + b",".join([item] * (LENGTH // (len(item) + 1))) + b"]"


@pytest.mark.parametrize("item", [b"[]", b"{}", b'{"a":1}', b"1", b"257", b'""', b'"ab"', b'[""]', b'["[,"]'])
def test_too_many_values_are_refused_before_any_is_made(item: bytes) -> None:
    """8 MiB of empty lists took 223 MB as values alone."""
    why, peak = peak_of(filled(item))
    assert "more than" in why
    assert peak < 3 * LENGTH, f"{peak / LENGTH:.1f} times the text"


@pytest.mark.parametrize("item", [b'"\\""', b'"\\\\"', b'"\\\\\\""'])
def test_escapes_do_not_hide_values(item: bytes) -> None:
    assert "more than" in peak_of(filled(item))[0]


def test_malformed_text_hides_no_values_behind_it() -> None:
    """What looks like a string to the one who counts and not to the decoder must come after the first fault."""
    why, peak = peak_of(b'\\"' + filled(b"[]"))
    assert "more than" in why or "not valid JSON" in why
    assert peak < 3 * LENGTH
    assert "more than" in peak_of(filled(b"[]") + b'\\"')[0]


def test_just_the_bounds_are_taken() -> None:
    lists = b"[" + b",".join([b"[]"] * (MAX_CONTAINERS - 1)) + b"]"
    assert len(strictjson.read(lists)) == MAX_CONTAINERS - 1
    assert strictjson.is_strict(lists)
    numbers = b"[" + b",".join([b"1"] * (MAX_VALUES - 1)) + b"]"
    assert len(strictjson.read(numbers)) == MAX_VALUES - 1
    for one_more in (lists[:-1] + b",[]]", numbers[:-1] + b",1]"):
        assert "more than" in peak_of(one_more)[0]
        assert not strictjson.is_strict(one_more)


def test_structure_within_strings_does_not_count() -> None:
    """A project's source text has more brackets and commas than any document has values."""
    text = json.dumps(
        {"files": [{"path": "a.py", "content": 'x = [{"a": [1, 2]}, "\\\\", \'{\']\n' * 100_000}]}
    ).encode()
    assert text.count(b"[") > MAX_CONTAINERS
    why, peak = peak_of(text)
    assert why == ""
    assert peak < 5 * len(text)
    assert strictjson.is_strict(text)


@given(
    st.recursive(st.text('a\\"[]{},:é', max_size=8), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
@settings(max_examples=200)
def test_what_is_left_without_strings_is_the_structure(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    structure = strictjson._structure(text)
    assert structure.count(b"[") + structure.count(b"{") == _containers(value)
    assert b'"' not in structure


def _containers(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_containers, value.values()))
    return 1 + sum(map(_containers, value)) if isinstance(value, list) else 0


def test_numbers_are_exact_or_refused() -> None:
    assert strictjson.read(b"[18446744073709551616,-9223372036854775809]") == [2**64, -(2**63) - 1]
    for digits in (b"1" * 5000, b"1e400"):
        with pytest.raises(NotStrictJson, match="out of range"):
            strictjson.read(digits)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"a":"\xff"}', 6),
        (b'{"a":"b","c":"d\\n\xc0\xa0"}', 17),
        ('{"é":"é'.encode() + b'\xe9"}', 9),
        (b'["\xed\xa0\x80"]', 2),
    ],
)
def test_a_byte_that_is_no_utf_8_is_counted_from_the_beginning(text: bytes, place: int) -> None:
    with pytest.raises(NotStrictJson, match=rf"is not valid UTF-8 \(byte {place}\)"):
        strictjson.read(text)


def test_an_object_is_wanted() -> None:
    assert strictjson.read_object(b' {"a": 1} ') == {"a": 1}
    for text in (b"[]", b"1", b'{"a":1,"a":1}', b"{'a':1}", b'{"a":NaN}', b"", b"[" * 5000):
        with pytest.raises(NotStrictJson):
            strictjson.read_object(text)
