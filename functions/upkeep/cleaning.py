"""The use cases of cleaning: what was kept for long enough goes, slowly: old copies that moves left, aged data keys."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from functions.upkeep import ageing
from shared.placement import leftovers
from shared.telemetry import counter, gauge, logger

if TYPE_CHECKING:
    from functions.upkeep.resources import Resources

_log = logger(__name__)
_copies = counter(
    "hal9_old_copies_total", "Old copies of organisations that moved, by what became of them.", ("outcome",)
)
_rows = counter("hal9_old_copies_rows_total", "Rows of old copies that were deleted.")
_left = gauge("hal9_old_copies_due", "Old copies that were kept for long enough and are not gone yet.")
_keys = counter("hal9_data_keys_aged_total", "Data keys, by what became of them: retired, forgotten.", ("outcome",))

_ROWS_AT_MOST: Final = 100_000
"""In one round: some seconds of a server."""


async def clean(resources: Resources) -> None:
    """Drop old copies that are due, retire and forget data keys; one is done where the other cannot be.

    Raises:
        Problem: The directory does not answer.
    """
    try:
        await _drop_copies(resources)
    finally:
        await _age_keys(resources)


async def _drop_copies(resources: Resources) -> None:
    done = await leftovers.drop_due(resources.shards, at_most_rows=_ROWS_AT_MOST)
    _copies.add("dropped", by=done.copies)
    _copies.add("failed", by=done.failed)
    _rows.add(by=done.rows)
    _left.set(done.failed + done.left)
    if done.copies:
        _log.info("old copies dropped", copies=done.copies, rows=done.rows)


async def _age_keys(resources: Resources) -> None:
    directory, days = resources.shards.directory, resources.settings.data_key_days
    retired = await ageing.retire(directory, timedelta(days=days)) if days else 0
    forgotten = await ageing.forget(directory, ageing.KEPT)
    _keys.add("retired", by=retired)
    _keys.add("forgotten", by=forgotten)
    if retired or forgotten:
        _log.info("data keys aged", retired=retired, forgotten=forgotten)
