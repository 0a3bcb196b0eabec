"""The fixed table of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.permissions.principal import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.permissions.principal import Principal

PERMISSIONS: Final[dict[str, str]] = {
    "artefacts.read": "Download what projects made.",
    "events.publish": "Send events of the organisation's own types.",
    "events.read": "List and show dead letters.",
    "events.redrive": "Send dead letters again.",
    "identity.read": "See who one is, and what one may do.",
    "keys.create": "Create API keys.",
    "keys.owners": "Create and revoke API keys of owners.",
    "keys.read": "List API keys.",
    "keys.revoke": "Revoke API keys.",
    "organisation.read": "See the organisation.",
    "projects.cancel": "Cancel projects.",
    "projects.create": "Ask for software.",
    "projects.read": "List and show projects.",
    "projects.transfer": "Offer projects to other organisations, and take what others offer.",
    "runs.cancel": "Cancel runs.",
    "runs.create": "Start runs.",
    "runs.read": "List, show and watch runs.",
    "runs.replay": "Replay runs.",
    "sessions.own": "See and end one's own sessions.",
    "usage.read": "See what the organisation uses and may use.",
}
"""Every permission and what it is for. A route, event handler or type that names another one fails the suite."""

_READ: Final = frozenset(name for name in PERMISSIONS if name.endswith(".read"))
_WORK: Final = frozenset(
    {
        "events.publish",
        "events.redrive",
        "projects.cancel",
        "projects.create",
        "runs.cancel",
        "runs.create",
        "runs.replay",
    }
)
_KEYS: Final = frozenset({"keys.create", "keys.revoke"})
_TRANSFER: Final = frozenset({"projects.transfer"})

ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": _READ | _WORK | _KEYS | _TRANSFER | {"keys.owners"},
    "admin": _READ | _WORK | _KEYS | _TRANSFER,
    "developer": _READ | _WORK,
    "viewer": _READ,
    "operator": frozenset(
        {
            "events.read",
            "events.redrive",
            "identity.read",
            "organisation.read",
            "runs.cancel",
            "runs.read",
            "usage.read",
        }
    ),
    "person": frozenset({"identity.read", "sessions.own"}),
}
"""What each role grants.

`operator` is for those who run the platform: it looks after runs and dead letters and is never given to a customer.
`person` is what the door adds to the roles of whoever is signed in, whatever they are; no key has it.
"""

PERSON: Final = "person"
OF_PERSONS: Final = ROLES[PERSON] - ROLES["owner"]
"""The permissions that only who is signed in can have: no key."""

CUSTOMER_ROLES: Final[tuple[str, ...]] = ("owner", "admin", "developer", "viewer")
"""The roles that an organisation may give to its own keys."""


class RoleTable:
    """The `Authorizer` that reads the fixed table: a permission is granted by a role, within the credential's scope.

    Args:
        roles: The table; `ROLES` unless said otherwise.
    """

    def __init__(self, roles: Mapping[str, frozenset[str]] = ROLES) -> None:
        self._roles = roles

    async def allows(self, principal: Principal, permission: str, resource: str | None = None) -> Decision:
        """Decide, from the roles and the scope alone: the table has no rules about single resources."""
        del resource
        if permission not in principal.scope:
            return Decision(False, f"This credential's scope does not include {permission}.")
        if any(permission in self._roles.get(role, frozenset()) for role in principal.roles):
            return Decision(True, f"A role of this credential grants {permission}.")
        return Decision(False, f"None of this credential's roles grants {permission}.")
