"""What goes over the wire about API keys: the models of the gateway's routes, which the SDK shares."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

if TYPE_CHECKING:
    from shared.apikeys.rows import ApiKey

Role = Literal["owner", "admin", "developer", "viewer"]
_EXAMPLE_ID = "01997cc8-8b5c-7d3e-9a41-3f5a6c0d2e11"
_EXAMPLE_KEY: dict[str, JsonValue] = {
    "id": _EXAMPLE_ID,
    "name": "continuous integration",
    "prefix": "hal9_k3v7q2m5xw4a",
    "roles": ["developer"],
    "made_by": "key:w4t2n6c8y3ze",
    "created_at": "2026-01-05T09:30:00Z",
    "expires_at": "2026-04-05T09:30:00Z",
    "revoked_at": None,
    "last_used_at": None,
}


class KeyRequest(BaseModel):
    """The body of `POST /v1/keys`."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "continuous integration", "roles": ["developer"], "expires_in_days": 90}]
        },
    )

    name: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\u0000-\u001f\u007f-\u009f]+$",
        description="What you call it; no control characters.",
    )
    roles: list[Role] = Field(
        min_length=1, max_length=4, description="What it may do: at most what the key that asks for it may do itself."
    )
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="When it ends by itself; left out: never.")


class KeyQuery(BaseModel):
    """The query of `GET /v1/keys`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="Keys in a page.")
    cursor: UUID | None = Field(None, description="`next_cursor` of the page before.")


class KeyView(BaseModel):
    """An API key, without its secret."""

    model_config = ConfigDict(defer_build=True, frozen=True, json_schema_extra={"examples": [_EXAMPLE_KEY]})

    id: UUID
    name: str
    prefix: str = Field(description="How the key begins: enough to recognise it, of no use to anyone else.")
    roles: list[str]
    made_by: str | None = Field(
        None,
        description="Who made it: `key:<prefix>`, `user:<id>`, or `operator`, the platform's own; null: not known.",
    )
    created_at: datetime
    expires_at: datetime | None = Field(description="When it ends by itself; null for never.")
    revoked_at: datetime | None = Field(description="When it was revoked; null if it was not.")
    last_used_at: datetime | None = Field(description="When it was last used, to a minute or so; null for never.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Give the view of a key's row."""
        return cls(
            id=key.key_id,
            name=key.name,
            prefix=f"hal9_{key.prefix}",
            roles=list(key.roles),
            made_by=key.made_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class NewKeyView(KeyView):
    """A key that was just made: the only answer that ever holds its text."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        json_schema_extra={
            "examples": [{**_EXAMPLE_KEY, "key": "hal9_k3v7q2m5xw4a_Zm9yIGRvY3VtZW50YXRpb24gb25seSwgbm90IGEga2V5"}]
        },
    )

    key: str = Field(description="The whole key. It is shown this once and kept nowhere: store it now.")


class KeyPage(BaseModel):
    """A page of keys, newest first."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    keys: list[KeyView]
    next_cursor: UUID | None = Field(description="Give it as `cursor` for the next page; null on the last one.")
