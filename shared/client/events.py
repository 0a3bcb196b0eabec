"""CloudEvents: publish them, and look after those that could not be delivered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from shared.client.pages import each
from shared.client.transport import IDEMPOTENCY_KEY
from shared.deadletters import DeadLetterDetail, DeadLetterPage, DeadLetterView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.client.transport import Transport

_BATCH: Final = {"Content-Type": "application/cloudevents-batch+json"}


class Events:
    """`/v1/events`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def publish(
        self,
        type: str,  # noqa: A002 - the attribute's name
        source: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the attribute's name
        subject: str | None = None,
        **extensions: str | bool | int,
    ) -> str:
        """Publish one event; when this returns, the broker has stored it.

        Args:
            type: What happened, for example `com.example.order.paid`.
            source: Who says so, for example `/shop/orders`.
            data: Any JSON value.
            id: Unique within the source; made up when None. The same one again has its effect once.
            subject: What it happened to.
            extensions: Further attributes.

        Returns:
            The event's id.
        """
        event_id = id or str(uuid4())
        event: dict[str, Any] = {**extensions, "specversion": "1.0", "id": event_id, "source": source, "type": type}
        if subject is not None:
            event["subject"] = subject
        if data is not None:
            event |= {"datacontenttype": "application/json", "data": data}
        self.publish_all([event])
        return event_id

    def publish_all(self, events: Sequence[Mapping[str, Any]]) -> int:
        """Publish a batch: all of it, or nothing when one is at fault.

        Args:
            events: In CloudEvents' JSON format.

        Returns:
            How many were taken: all.
        """
        # An event's id makes sending it again harmless; the header only lets the transport know.
        headers = {**_BATCH, IDEMPOTENCY_KEY: str(uuid4())}
        answer = self._transport.request(
            "POST", "/v1/events", content=json.dumps(list(events)).encode(), headers=headers
        )
        return int(answer.json()["accepted"])


class DeadLetters:
    """`/v1/events/dead-letters`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, *, limit: int = 50, cursor: object | None = None) -> DeadLetterPage:
        """Give one page of dead letters, the newest first."""
        query = {"limit": limit, "cursor": cursor}
        return self._transport.model(DeadLetterPage, "GET", "/v1/events/dead-letters", query=query)

    def list(self) -> Iterator[DeadLetterView]:
        """Give every dead letter, the newest first."""
        return each(
            lambda cursor: self.page(cursor=cursor),
            lambda page: page.dead_letters,
            lambda page: page.next_cursor,
        )

    def get(self, letter_id: UUID | str) -> DeadLetterDetail:
        """Show a dead letter with its event."""
        return self._transport.model(DeadLetterDetail, "GET", _path(letter_id))

    def redrive(self, letter_id: UUID | str) -> DeadLetterDetail:
        """Send a dead letter's event again."""
        headers = {IDEMPOTENCY_KEY: str(uuid4())}
        return self._transport.model(DeadLetterDetail, "POST", f"{_path(letter_id)}/redrive", headers=headers)


def _path(letter_id: UUID | str) -> str:
    return f"/v1/events/dead-letters/{UUID(str(letter_id))}"
