"""What goes in and out of the gateway's own routes, besides API keys (`shared.apikeys.wire`)."""

from __future__ import annotations

from typing import Any

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
