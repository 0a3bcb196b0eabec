"""What projects made."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from shared.software.projects import Artefact

if TYPE_CHECKING:
    from shared.client.transport import Transport


class Artefacts:
    """`/v1/artefacts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, artefact_id: UUID | str) -> Artefact:
        """Show an artefact."""
        return self._transport.model(Artefact, "GET", f"/v1/artefacts/{UUID(str(artefact_id))}")

    def content(self, artefact_id: UUID | str) -> bytes:
        """Give an artefact's bytes."""
        return self._transport.request("GET", f"/v1/artefacts/{UUID(str(artefact_id))}/content").content
