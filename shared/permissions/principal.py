"""Who asks, and the interface of whoever decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever a request is done for, as the gateway found out from the credentials.

    Attributes:
        org_id: The organisation that everything done belongs to.
        subject: Who, for logs and audits: `key:<prefix>` for an API key, `user:<id>` for who is signed in.
        roles: Names of roles, as in `ROLES`.
        scope: The permissions that the credential may use; roles never grant beyond it.
        region: The region that the organisation lives in.
        key_id: The API key, if one was used.
        user_id: The person, if one is signed in.
    """

    org_id: UUID
    subject: str
    roles: tuple[str, ...]
    scope: frozenset[str]
    region: str
    key_id: UUID | None = None
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to "may they?".

    Attributes:
        allowed: The answer.
        reason: Why, in one sentence for the person who asked; holds nothing about other organisations.
    """

    allowed: bool
    reason: str


class Authorizer(Protocol):
    """Decides whether a principal may do something."""

    async def allows(self, principal: Principal, permission: str, resource: str | None = None) -> Decision:
        """Decide.

        Args:
            principal: Who asks.
            permission: What for, for example `runs.create`.
            resource: On what, when the permission is about one thing; None for the organisation as a whole.
        """
        ...
