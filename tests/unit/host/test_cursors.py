"""Cursors: what was written is read, and nothing else is."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import cursors
from shared.problems import Problem


@given(st.binary(max_size=40))
def test_what_was_written_is_read(place: bytes) -> None:
    cursor = cursors.write(place)
    assert cursors.read(cursor, len(place)) == place
    assert set(cursor).isdisjoint("=+/")


@given(st.text(max_size=40))
def test_anything_else_is_refused_and_never_breaks(text: str) -> None:
    with suppress(Problem):
        assert len(cursors.read(text, 16)) == 16


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_place_of_another_list_is_refused(size: int) -> None:
    with pytest.raises(Problem) as refused:
        cursors.read(cursors.write(bytes(16)), size)
    assert (refused.value.slug, refused.value.status) == ("cursor-invalid", 422)
