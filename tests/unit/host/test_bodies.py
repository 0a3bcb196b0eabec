"""Strict JSON and the naming of faults."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from shared import strictjson
from shared.function import bodies
from shared.problems import Problem

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES, st.booleans())
@settings(max_examples=150)
def test_what_json_writes_is_read(value: Any, ascii_only: bool) -> None:
    assert bodies.decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = bodies.decode(body)
    except Problem as problem:
        outcome = (problem.slug, problem.status)
    else:
        outcome = ("body-malformed", 400) if json.loads(body) == value else ("wrong", 0)
    assert outcome == ("body-malformed", 400)


@given(st.text('[]{}":,\\a1 \n', max_size=200))
@settings(max_examples=300)
def test_the_depth_is_that_of_the_document(text: str) -> None:
    body = ("[" * 60 + text + "]" * 60).encode()
    try:
        expected = _depth(json.loads(body))
    except ValueError:
        expected = None
    try:
        bodies.decode(body)
    except Problem as problem:
        if expected is not None and "nested" in problem.detail:
            assert expected > strictjson.MAX_NESTING
    else:
        assert expected is not None
        assert expected <= strictjson.MAX_NESTING


def _depth(value: Any) -> int:
    if isinstance(value, list | dict):
        parts = value.values() if isinstance(value, dict) else value
        return 1 + max((_depth(part) for part in parts), default=0)
    return 0


def test_just_the_depth_is_taken_and_one_more_is_not() -> None:
    assert bodies.decode(b"[" * 64 + b"]" * 64)
    with pytest.raises(Problem):
        bodies.decode(b"[" * 65 + b"]" * 65)
    assert bodies.decode(json.dumps(["[{" * 100]).encode())  # brackets in texts are no nesting


def test_integers_of_64_bits_are_taken_and_greater_ones_are_not() -> None:
    assert bodies.decode(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]
    for digits in (b"9223372036854775808", b"-9223372036854775809", b"1" * 4000):
        with pytest.raises(Problem, match="64 bits"):
            bodies.decode(digits)


def test_doubles_are_exact_or_refused() -> None:
    assert bodies.decode(b"1.7976931348623157e308") == math.nextafter(math.inf, 0)
    with pytest.raises(Problem, match="out of range"):
        bodies.decode(b"1.8e308")


def test_numbers_without_a_fraction_are_integers_however_deep() -> None:
    value = bodies.decode(b'{"a":[7.0,1E2,0.5,9007199254740993.0,{"b":-0.0}],"c":"1.0"}')
    assert value == {"a": [7, 100, 0.5, 9007199254740992.0, {"b": 0}], "c": "1.0"}
    assert [type(one) for one in value["a"][:4]] == [int, int, float, float]


def test_surrogates_in_pairs_are_taken_and_halves_are_not_even_as_keys() -> None:
    assert bodies.decode(b'"\\ud83d\\ude00"') == "\U0001f600"
    for body in (b'"\\ud83d"', b'{"\\ude00": 1}', b'[{"a": ["\\udfff"]}]', b'"\\ud83dx"', b'"\\udc00\\ud83d"'):
        with pytest.raises(Problem, match="half of a surrogate pair"):
            bodies.decode(body)
    for body in (b'"\\u0000"', b'{"a\\u0000": 1}'):
        with pytest.raises(Problem, match=r"U\+0000"):
            bodies.decode(body)
    assert bodies.decode(b'"\\\\u0000"') == "\\u0000"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    choice: int | list[int] = 0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner
    many: list[Inner] = []
    by_name: dict[str, Inner] = {}
    renamed: int = Field(default=0, alias="re/named~")


class FakeRequest:
    """As much of a request as bodies read."""

    def __init__(self, body: bytes, media_type: str = "application/json") -> None:
        self.headers = {"content-type": media_type}
        self._body = body

    async def body(self) -> bytes:
        """Give the body."""
        return self._body


async def faults(document: Any) -> set[str]:
    """Give the pointers of the faults that a body has."""
    request: Any = FakeRequest(json.dumps(document).encode())
    with pytest.raises(Problem) as caught:
        await bodies.body_of(request, Outer)
    assert caught.value.status == 422
    return {fault["pointer"] for fault in caught.value.members["errors"]}


async def test_pointers_lead_to_what_is_wrong() -> None:
    assert await faults({}) == {"/inner"}
    assert await faults([]) == {""}
    assert await faults({"inner": {}, "many": [{"name": "a"}, {"name": 1}, 3]}) == {
        "/inner/name",
        "/many/1/name",
        "/many/2",
    }
    assert await faults({"inner": {"name": "a", "choice": "x"}}) == {"/inner/choice"}
    assert await faults({"inner": {"name": "a", "choice": [1, "x"]}}) == {"/inner/choice", "/inner/choice/1"}
    assert await faults({"inner": {"name": "a"}, "by_name": {"a/b~c": {}}, "re/named~": "x", "what": 1}) == {
        "/by_name/a~1b~0c/name",
        "/re~1named~0",
        "/what",
    }


@given(VALUES)
@settings(max_examples=100)
async def test_every_pointer_is_in_the_document_or_names_a_missing_member(document: Any) -> None:
    request: Any = FakeRequest(json.dumps(document).encode())
    try:
        await bodies.body_of(request, Outer)
    except Problem as problem:
        for fault in problem.members["errors"]:
            parent, _, _last = fault["pointer"].rpartition("/")
            _follow(document, parent)


def _follow(document: Any, pointer: str) -> Any:
    """Resolve a JSON pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
