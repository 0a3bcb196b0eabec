"""How much room a disk must have for a platform: one figure for whoever checks it, and for whoever says it."""

from __future__ import annotations

from typing import Final

NEEDED_BYTES: Final = 192 * 1024 * 1024
"""For PostgreSQL, which makes and recycles its log before it takes connections; logs and the broker's store need less.
Below it, a server that ends cannot be started again."""
