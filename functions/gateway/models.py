"""What goes in and out of the gateway's own routes, besides API keys (`shared.apikeys.wire`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Accepted(BaseModel):
    """The answer to published events: the broker has stored all of them."""

    model_config = ConfigDict(defer_build=True, frozen=True, json_schema_extra={"examples": [{"accepted": 1}]})

    accepted: int = Field(ge=0, description="How many events were taken: all that were sent.")


class OpenApiDocument(BaseModel):
    """This document (https://spec.openapis.org/oas/v3.1.1.html)."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


class OwnSession(BaseModel):
    """One of one's own sessions: a browser or another device that is signed in."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: UUID = Field(description="Names the session; it is not the cookie.")
    region: str = Field(description="Where it is.")
    device: str = Field(description="What it was begun with, as that called itself.")
    address: str = Field(description="Where it was begun from.")
    begun_at: datetime
    ends_at: datetime = Field(description="When it ends at the latest.")
    used_at: datetime | None = Field(description="When it was last used; null for the one that asks.")
    current: bool = Field(description="Whether it is the one that asks.")


class OwnSessions(BaseModel):
    """One's own sessions, the one last used first."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    sessions: list[OwnSession]


class Identity(BaseModel):
    """Who asks, and what they may do."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    organisation: UUID
    region: str = Field(description="Where the organisation's data stay.")
    subject: str = Field(description="`user:<id>` for who is signed in, `key:<prefix>` for an API key.")
    user: UUID | None = Field(description="Who is signed in; null for an API key.")
    key: UUID | None = Field(description="The API key; null for who is signed in.")
    roles: list[str]
    permissions: list[str] = Field(description="What the roles grant.")
    session: OwnSession | None = Field(description="The session; null for an API key.")
