"""The migration files, read and checked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Kind = Literal["directory", "shard"]
KINDS: Final[tuple[Kind, ...]] = ("directory", "shard")
FOLDER: Final = Path(__file__).parent
_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_NO_TRANSACTION: Final = "-- hal9: no-transaction"


class MigrationError(RuntimeError):
    """The migrations cannot be run; the text says what to do."""


class ShardAwayError(MigrationError):
    """A shard does not answer, or was lost meanwhile: the same may succeed when it is back."""


class LedgerError(MigrationError):
    """What was applied does not fit this release's files; each line after the first names one fault."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file.

    Attributes:
        kind: where it runs.
        version: its number.
        name: what it is called after the number.
        sql: its text.
    """

    kind: Kind
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        """Whether it runs in a transaction."""
        return not self.sql.startswith(_NO_TRANSACTION)

    def __str__(self) -> str:
        return f"{self.kind}/{self.version:04d}_{self.name}"


def read(folder: Path = FOLDER) -> list[Migration]:
    """Every migration, the directory's first, each kind in the order of its numbers.

    Raises:
        MigrationError: a file's name is not NNNN_name.sql, or two have the same number.
    """
    found: list[Migration] = []
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*.sql")):
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise MigrationError(f"{kind}/{path.name}: call it NNNN_name.sql, name in lower case with underscores")
            migration = Migration(kind, int(match[1]), match[2], path.read_text(encoding="utf-8"))
            if found and (found[-1].kind, found[-1].version) == (kind, migration.version):
                raise MigrationError(f"{migration} has the same number as {found[-1]}: give it the next one")
            found.append(migration)
    return found
