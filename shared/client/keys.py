"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from shared.apikeys.wire import KeyPage, KeyRequest, KeyView, NewKeyView
from shared.client.errors import checked
from shared.client.pages import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.apikeys.wire import Role
    from shared.client.transport import Transport


class Keys:
    """`/v1/keys`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, roles: Sequence[Role], *, expires_in_days: int | None = None) -> NewKeyView:
        """Make a key; the answer's `key` is shown this once.

        Args:
            name: What you call it.
            roles: What it may do: at most what the key in use may do.
            expires_in_days: When it ends by itself; None for never.
        """
        body = checked(KeyRequest, name=name, roles=list(roles), expires_in_days=expires_in_days)
        return self._transport.model(NewKeyView, "POST", "/v1/keys", body=body)

    def page(self, *, limit: int = 50, cursor: object | None = None) -> KeyPage:
        """Give one page of keys, the newest first."""
        return self._transport.model(KeyPage, "GET", "/v1/keys", query={"limit": limit, "cursor": cursor})

    def list(self) -> Iterator[KeyView]:
        """Give every key, the newest first; revoked and expired ones as well."""
        return each(lambda cursor: self.page(cursor=cursor), lambda page: page.keys, lambda page: page.next_cursor)

    def revoke(self, key_id: UUID | str) -> None:
        """End a key, at once."""
        self._transport.request("DELETE", f"/v1/keys/{UUID(str(key_id))}")
