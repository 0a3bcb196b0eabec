"""What goes over the wire about usage: what an organisation uses, and what its tier allows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class UsageQuery(BaseModel):
    """The query of `GET /v1/usage`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    month: str | None = Field(
        None,
        pattern="^[1-9][0-9]{3}-(0[1-9]|1[0-2])$",
        description="The month, `YYYY-MM` (UTC); left out: the present one.",
    )
    hours: int = Field(0, ge=0, le=168, description="Of so many last hours, what was used in each; 0 for none.")


class MeterView(BaseModel):
    """One meter."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    meter: str
    unit: str = Field(description="What one of it is.")
    used: int = Field(description="In the month, or, of levels such as storage, now.")
    reserved: int = Field(description="Held for what is under way; it counts against the hard limit.")
    soft: int = Field(description="The level of the warning.")
    hard: int = Field(description="What would be more is refused (402 `quota-exceeded`).")
    state: Literal["within", "warned", "reached"]
    metered: bool = Field(description="False while nothing counts it yet.")
    begins_anew_at: datetime | None = Field(description="When it does; null for levels.")


class UsageHour(BaseModel):
    """What was used of one meter in one hour; the last minute may be missing."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    meter: str
    hour: datetime = Field(description="When the hour begins.")
    amount: int


class Usage(BaseModel):
    """What an organisation uses, and what its tier allows."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    organisation: UUID
    tier: str
    month: str
    meters: list[MeterView]
    hours: list[UsageHour] = Field(description="The newest first; hours without use are left out.")
