"""The header Idempotency-Key: one rule for all operations that take one."""

from __future__ import annotations

import re

import pytest
from starlette.requests import Request

from functions.codegen import api as codegen
from functions.neuron import api as neuron
from shared.function import Call, idempotency_key
from shared.problems import Problem

TAKERS = [one for one in (*codegen.OPERATIONS, *neuron.OPERATIONS) if "Idempotency-Key" in one.headers]


def call(*keys: bytes) -> Call:
    headers = [(b"idempotency-key", key) for key in keys]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers})
    return Call(request, TAKERS[0], {}, None)


def test_who_takes_a_key_says_the_same_of_it() -> None:
    assert {one.permission for one in TAKERS} == {"projects.create", "runs.create", "runs.replay"}
    (pattern,) = {one.headers["Idempotency-Key"]["pattern"] for one in TAKERS}
    assert re.fullmatch(pattern, "x" * 255)
    assert not re.fullmatch(pattern, "x" * 256)


@pytest.mark.parametrize("key", [b"!", b"~" * 255, b"01890a5d-ac96-774b-bcce-b302099a8057"])
def test_a_key_that_may_be_one_is_given(key: bytes) -> None:
    assert idempotency_key(call(key)) == key.decode()


def test_no_key_is_none() -> None:
    assert idempotency_key(call()) is None


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"two words", "schlüssel".encode(), b"x\t", b"\x00"])
def test_any_other_is_refused(key: bytes) -> None:
    with pytest.raises(Problem) as refused:
        idempotency_key(call(key))
    assert (refused.value.slug, refused.value.status) == ("idempotency-key-invalid", 422)
    assert "1 to 255 visible ASCII characters" in str(refused.value.encode())
