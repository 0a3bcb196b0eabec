"""Retention: every moment of the kept days stays restorable, and nothing more is kept than that takes."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.backup.manifest import Backup
from shared.backup.retention import needed
from shared.clock import EPOCH

HOURS = st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=15)


def history(steps: list[tuple[int, bool]]) -> dict[UUID, Backup]:
    """Backups so many hours apart; each full, or on top of the one before it."""
    made: dict[UUID, Backup] = {}
    hour, before = 0, None
    for number, (pause, full) in enumerate(steps, start=1):
        hour += pause
        parent = None if full else before
        at = EPOCH + timedelta(hours=hour)
        made[UUID(int=number)] = Backup(
            id=UUID(int=number), kind="full" if parent is None else "incremental", parent=parent, parent_sha256=None,
            region="us-west", begun_at=at, consistent_at=at, point="p", point_at=at, in_doubt_locked=False, release="1",
            shards=(),
        )  # fmt: skip
        before = UUID(int=number)
    return made


@given(HOURS, st.integers(-10, 500), st.integers(0, 600))
def test_what_any_kept_moment_needs_is_kept(steps: list[tuple[int, bool]], since_hour: int, later: int) -> None:
    good = history(steps)
    since = EPOCH + timedelta(hours=since_hour)
    kept = needed(good, since)
    assert max(good) in kept, "the newest one"
    moment = since + timedelta(hours=later)
    before = [one for one in good.values() if one.consistent_at <= moment]
    wanted = max(before, key=lambda one: one.consistent_at) if before else None
    while wanted is not None:
        assert wanted.id in kept
        wanted = good[wanted.parent] if wanted.parent is not None else None


@given(HOURS, st.integers(-10, 500))
def test_no_more_is_kept_than_that(steps: list[tuple[int, bool]], since_hour: int) -> None:
    good = history(steps)
    since = EPOCH + timedelta(hours=since_hour)
    kept = needed(good, since)
    last_before = max((one.consistent_at for one in good.values() if one.consistent_at < since), default=None)
    for one in kept:
        stands_on_it = any(good[other].parent == one for other in kept)
        assert good[one].consistent_at >= since or good[one].consistent_at == last_before or stands_on_it
