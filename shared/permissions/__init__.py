"""Who asks, what roles grant, and the interface behind which decisions are made.

For now a small fixed table of roles decides; the rbac function will stand behind the same `Authorizer`. Promises: what
no role grants is denied, and a credential's scope only ever narrows what its roles grant.
"""

from __future__ import annotations

from shared.permissions.principal import Authorizer, Decision, Principal
from shared.permissions.roles import CUSTOMER_ROLES, OF_PERSONS, PERMISSIONS, PERSON, ROLES, RoleTable

__all__ = [
    "CUSTOMER_ROLES",
    "OF_PERSONS",
    "PERMISSIONS",
    "PERSON",
    "ROLES",
    "Authorizer",
    "Decision",
    "Principal",
    "RoleTable",
]
