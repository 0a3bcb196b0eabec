"""A transport that keeps what a server writes, for tests that feed a connection its bytes themselves."""

from __future__ import annotations

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """Keeps what is written; stands for the socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        assert not self.closed
        self.written += bytes(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know nothing."""
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Hold everything."""

    def pause_reading(self) -> None:
        """Go on: the test sends nothing by itself."""

    def resume_reading(self) -> None:
        """Go on."""

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def can_write_eof(self) -> bool:
        """Sockets can."""
        return True

    def write_eof(self) -> None:
        """Note the end."""
        self.closed = True

    def close(self) -> None:
        """Note the end."""
        self.closed = True

    def abort(self) -> None:
        """Note the end."""
        self.closed = True
