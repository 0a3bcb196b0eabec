"""What a full disk looks like, and the trial for room."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from shared.diskspace import has_room, is_full
from tests.disk_fixture import full_disk

if TYPE_CHECKING:
    from pathlib import Path


def test_room_is_tried_and_nothing_is_left_of_the_trial(tmp_path: Path) -> None:
    with full_disk(10_000):
        assert has_room(tmp_path, 10_000)
        assert not has_room(tmp_path, 10_001)
    assert has_room(tmp_path, 10_001)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_not_a_full_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        has_room(tmp_path / "nowhere", 1)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no space"), True),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.EFBIG, "too large"), True),
        (OSError(errno.EACCES, "denied"), False),
        (ValueError(errno.ENOSPC), False),
    ],
)
def test_which_errors_mean_a_full_disk(error: Exception, full: bool) -> None:
    assert is_full(error) is full
