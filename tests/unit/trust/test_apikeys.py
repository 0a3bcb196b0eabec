"""The text of API keys."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apikeys import generate, present
from shared.randomness import SeededRandomness, SystemRandomness


def test_a_new_key_has_the_documented_form_and_presents_itself() -> None:
    new = generate(SystemRandomness())
    name, prefix, secret = new.text.split("_", 2)
    assert (name, len(prefix), len(secret)) == ("hal9", 12, 43)
    assert prefix == new.prefix
    presented = present(new.text)
    assert presented is not None
    assert presented.prefix == new.prefix
    assert presented.matches(new.secret_hash)


def test_the_secret_is_kept_as_its_hash_and_shown_nowhere() -> None:
    new = generate(SystemRandomness())
    secret = new.text.split("_", 2)[2]
    assert new.secret_hash == hashlib.sha256(secret.encode()).digest()
    presented = present(new.text)
    for shown in (repr(new), repr(presented), str(new)):
        assert secret not in shown
        assert new.secret_hash.hex() not in shown


def test_keys_differ_in_prefix_and_secret() -> None:
    keys = [generate(SystemRandomness()) for _ in range(200)]
    assert len({key.prefix for key in keys}) == len({key.secret_hash for key in keys}) == 200


def test_a_key_is_made_of_the_injected_randomness_alone() -> None:
    assert generate(SeededRandomness(1)).text == generate(SeededRandomness(1)).text


def test_only_its_own_hash_matches() -> None:
    first, second = generate(SeededRandomness(1)), generate(SeededRandomness(2))
    presented = present(first.text)
    assert presented is not None
    assert not presented.matches(second.secret_hash)
    assert not presented.matches(None)
    assert not presented.matches(bytes(32))
    assert not presented.matches(b"")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hal9",
        "hal9_abcdefghijkl",
        "hal9_abcdefghijkl_" + "A" * 42,
        "hal9_abcdefghijkl_" + "A" * 44,
        "hal9_abcdefghijk_" + "A" * 43,
        "hal9_ABCDEFGHIJKL_" + "A" * 43,
        "hal9_abcdefghijk1_" + "A" * 43,
        "HAL9_abcdefghijkl_" + "A" * 43,
        "hal9_abcdefghijkl_" + "A" * 42 + "=",
        "hal9_abcdefghijkl_" + "A" * 43 + "\n",
        " hal9_abcdefghijkl_" + "A" * 43,
        "hal9_abcdefghijkl_" + "\u0661" * 43,
    ],
)
def test_another_text_is_no_key(text: str) -> None:
    assert present(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    presented = present(text)
    assert presented is None or text.startswith(f"hal9_{presented.prefix}_")
