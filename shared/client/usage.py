"""What the organisation uses, and what its tier allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.quotas.wire import Usage

if TYPE_CHECKING:
    from shared.client.transport import Transport


class Usages:
    """`/v1/usage`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, *, month: str | None = None, hours: int = 0) -> Usage:
        """Show what the organisation has used.

        Args:
            month: `YYYY-MM` (UTC); the present one when None.
            hours: Of so many last hours, what was used in each; at most 168.
        """
        return self._transport.model(Usage, "GET", "/v1/usage", query={"month": month, "hours": hours})
