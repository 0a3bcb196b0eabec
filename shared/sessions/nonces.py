"""Nonces for AES-GCM: 96 random bits, drawn from the operating system a few dozen at a time.

A system call for each would be a quarter of the cost of sealing and opening a session. Not from the injectable source
of randomness, because a nonce that comes again gives the key away.
Promises: none is given twice, not in a forked child either. Does not: survive a machine that is snapshotted and
resumed twice; seal nothing in a process that is.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final

BYTES: Final = 12
_DRAWN: Final = Struct(f"{BYTES}s" * 64)
_left: Final[list[bytes]] = []
os.register_at_fork(after_in_child=_left.clear)


def nonce() -> bytes:
    """12 bytes that nobody was given before."""
    while True:
        try:
            return _left.pop()  # atomic, so that threads never share one
        except IndexError:
            _left.extend(_DRAWN.unpack(os.urandom(_DRAWN.size)))
