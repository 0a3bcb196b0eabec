"""What goes over the wire about dead letters: events that could not be delivered, listed, shown and sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class DeadLetterQuery(BaseModel):
    """The query of `GET /v1/events/dead-letters`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="Dead letters in a page.")
    cursor: str | None = Field(
        None, pattern="^[A-Za-z0-9_-]{21}[AQgw]$", description="`next_cursor` of the page before."
    )


class DeadLetterView(BaseModel):
    """An event that could not be delivered to one destination."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: UUID
    event_id: str
    event_type: str
    source: str
    subject: str | None = Field(
        description="The event's, null when it has none; in a page also where an earlier release kept the dead letter."
    )
    destination: str = Field(
        description="Who should have taken it: a subscription, or `broker`; `unknown` when it was handed to nobody."
    )
    error_code: int | None = Field(description="HTTP status of the last answer, null when there was none.")
    error: str = Field(description="What the last answer said.")
    attempts: int = Field(description="How often it ended here.")
    received_at: datetime = Field(description="When it last did.")
    redriven_at: datetime | None = Field(
        description="When it was last sent again, null while it was not. Before `received_at`: it ended here once "
        "more. In the future: it is sent again then, as what was handed to nobody is, five times within ten minutes."
    )


class DeadLetterDetail(DeadLetterView):
    """A dead letter with its event."""

    event: dict[str, Any] = Field(description="The whole event in structured mode (CloudEvents 1.0, JSON format).")


class DeadLetterPage(BaseModel):
    """A page of dead letters, newest first."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    dead_letters: list[DeadLetterView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")
