"""Roles: what the fixed table grants, and that every route names what is in it."""

from __future__ import annotations

import importlib
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from shared.permissions import CUSTOMER_ROLES, PERMISSIONS, ROLES, Principal, RoleTable

FUNCTIONS = Path(__file__).parents[3] / "functions"


def asker(*roles: str, scope: frozenset[str] = frozenset(PERMISSIONS)) -> Principal:
    return Principal(UUID(int=1), "key:a", roles, scope, "us-west")


def test_roles_grant_only_permissions_that_exist() -> None:
    for name, granted in ROLES.items():
        assert granted <= PERMISSIONS.keys(), name


def test_customers_roles_each_grant_less_than_the_one_before() -> None:
    for more, less in pairwise(CUSTOMER_ROLES):
        assert ROLES[less] < ROLES[more]
    assert "operator" not in CUSTOMER_ROLES


def test_every_permission_is_granted_to_someone() -> None:
    assert set().union(*ROLES.values()) == PERMISSIONS.keys()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
async def test_the_table_is_what_decides(role: str, permission: str) -> None:
    decision = await RoleTable().allows(asker(role), permission)
    assert decision.allowed == (permission in ROLES[role])
    assert permission in decision.reason


async def test_what_no_role_grants_is_denied() -> None:
    table = RoleTable()
    assert not (await table.allows(asker(), "runs.read")).allowed
    assert not (await table.allows(asker("unheard-of"), "runs.read")).allowed
    assert not (await table.allows(asker("owner"), "unheard.of")).allowed
    assert not (await table.allows(asker("owner", scope=frozenset(["unheard.of"])), "unheard.of")).allowed


async def test_a_scope_narrows_what_roles_grant() -> None:
    narrow = asker("owner", scope=frozenset(["runs.read"]))
    assert (await RoleTable().allows(narrow, "runs.read")).allowed
    assert not (await RoleTable().allows(narrow, "runs.create")).allowed


async def test_several_roles_grant_what_any_of_them_does() -> None:
    assert (await RoleTable().allows(asker("viewer", "developer"), "runs.create")).allowed


@pytest.mark.parametrize("api", sorted(FUNCTIONS.glob("*/api.py")), ids=lambda path: path.parent.name)
def test_every_operation_names_a_permission_or_says_that_it_is_public(api: Path) -> None:
    for operation in importlib.import_module(f"functions.{api.parent.name}.api").OPERATIONS:
        internal = operation.issuers == ("broker",)
        assert operation.public or internal or operation.permission in PERMISSIONS, operation.name
