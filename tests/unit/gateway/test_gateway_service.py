"""Rules of the gateway that no role of the present table can break from outside."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest

from functions.gateway import service
from shared.apikeys.wire import KeyRequest, Role
from shared.permissions import PERMISSIONS, Principal
from shared.problems import Problem


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ("viewer", "developer"),
        ("developer", "admin"),
        ("admin", "owner"),
        ("operator", "viewer"),
        ("unheard-of", "viewer"),
    ],
)
async def test_nobody_gives_away_a_role_that_grants_more_than_they_have(own: str, wanted: Role) -> None:
    principal = Principal(UUID(int=1), "key:a", (own,), frozenset(PERMISSIONS), "us-west")
    nothing = cast("Any", object())  # refused before anything is touched
    with pytest.raises(Problem) as refused:
        await service.create_key(nothing, principal, KeyRequest(name="a", roles=[wanted], expires_in_days=None))
    assert (refused.value.status, refused.value.slug) == (403, "role-beyond-yours")
    assert wanted in refused.value.detail
