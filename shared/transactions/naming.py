"""Names of branches: what `PREPARE TRANSACTION` calls one, and what recovery reads out of it.

`hal9:<home organisation>:<transaction>:<branch's organisation>`, ids in hexadecimal. It names the home by its
organisation and not by its shard: an organisation that moves takes its decisions along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

PATTERN: Final = "^hal9:([0-9a-f]{32}):([0-9a-f]{32}):([0-9a-f]{32})$"
"""For PostgreSQL and Python alike."""

_GID: Final = re.compile(PATTERN)


@dataclass(frozen=True, slots=True)
class Gid:
    """A branch's global identifier (X/Open XA's term; PostgreSQL takes up to 199 bytes, this has 103).

    Attributes:
        home: The organisation whose row of `dtx` decides.
        dtx_id: The transaction.
        org_id: The organisation whose branch it is.
    """

    home: UUID
    dtx_id: UUID
    org_id: UUID

    def __str__(self) -> str:
        return f"hal9:{self.home.hex}:{self.dtx_id.hex}:{self.org_id.hex}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `str` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        match = _GID.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no branch of a transaction of HAL9")
        return cls(*(UUID(part) for part in match.groups()))


def lock_key(dtx_id: UUID) -> int:
    """Give the key of the advisory lock that says that a transaction's home is still at work: 62 random bits."""
    return int.from_bytes(dtx_id.bytes[8:], "big", signed=True)
