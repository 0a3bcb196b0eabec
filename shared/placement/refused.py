"""What an operator asked for and does not get: not at all, or not now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RefusedError(Exception):
    """Nothing was changed; names every reason.

    Args:
        what: What was asked for, as the beginning of a sentence.
        reasons: Why not, each as the rest of one.
    """

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        super().__init__(f"{what}: {'; '.join(reasons)}")


class StuckError(Exception):
    """What was begun does not go on; it stands where it was, and the same command goes on there."""
