"""What can go wrong with a backup; each text says what to do."""

from __future__ import annotations


class BackupError(RuntimeError):
    """Something cannot be backed up or restored; the text says why, and what to do."""


class DamagedError(BackupError):
    """What lies in the store is not what was put there.

    Args:
        what: Which stream.
        why: What was seen, when more is known than that it is not genuine.
    """

    def __init__(self, what: str, why: str = "it was changed, cut off, or lies in another's place") -> None:
        super().__init__(f"{what} is damaged: {why}. Nothing was restored from it; take another backup.")


class AbsentError(DamagedError):
    """A stream is not in the store at all.

    Args:
        what: Which.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what, "it is not in the store")


class ForeignKeyError(BackupError):
    """The master key that is set is not the one that wrapped a backup's key."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} was sealed under another master key: set HAL9_DATA_KEYS (and HAL9_REGION) to those of the "
            "platform that made the backup."
        )
