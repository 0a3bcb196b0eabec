"""Every route that the document describes: refused without credentials, refused to whoever has not its permission."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from functions.gateway import routes
from shared.keys import PrivateKey
from shared.permissions import CUSTOMER_ROLES, OF_PERSONS, PERMISSIONS, ROLES, Principal
from shared.tokens import Issuer

if TYPE_CHECKING:
    from tests.integration.gateway.stage import MakeCaller, Stage

DOCUMENT = json.loads(routes.document())
OPERATIONS = [
    (method.upper(), path.replace("{", "").replace("}", ""), operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
GUARDED = [one for one in OPERATIONS if one[2].get("x-hal9-permission")]
NOBODY = "01997cc8-8b5c-7d3e-9a41-3f5a6c0d2e11"


def body(operation: dict[str, Any]) -> dict[str, str] | None:
    """What the operation's body must hold, each thing by the id of nobody."""
    if "requestBody" not in operation:
        return None
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return dict.fromkeys(DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["required"], NOBODY)


def identified(one: tuple[str, str, dict[str, Any]]) -> str:
    return f"{one[0]} {one[1]}"


@pytest.mark.parametrize("one", GUARDED, ids=identified)
async def test_a_guarded_route_refuses_whoever_shows_nothing_or_something_else(
    api: str, stage: Stage, caller: MakeCaller, one: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, operation = one
    me = await caller()
    gateway = PrivateKey.load(stage.folder / "gateway.json")
    principal = Principal(me.org_id, "key:x", ("owner",), frozenset(PERMISSIONS), "us-west")
    internal = Issuer(gateway).mint(operation["x-hal9-function"], principal, PERMISSIONS)
    async with httpx.AsyncClient(base_url=api) as client:
        for headers in [
            {},
            {"Authorization": f"Bearer {internal}"},
            {"Authorization": "Bearer hal9_aaaaaaaaaaaa_" + "A" * 43},
            {"X-Api-Key": me.text},
            {"Cookie": f"Authorization=Bearer {me.text}"},
        ]:
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401, (headers, answer.text)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        by_query = await client.request(method, path, params={"api_key": me.text, "access_token": me.text})
        assert by_query.status_code == 401


@pytest.mark.parametrize("one", GUARDED, ids=identified)
async def test_a_guarded_route_takes_exactly_the_roles_that_grant_its_permission(
    api: str, caller: MakeCaller, one: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, operation = one
    async with httpx.AsyncClient(base_url=api) as client:
        for role in CUSTOMER_ROLES:
            me = await caller(role)
            answer = await client.request(method, path, headers=me.header)
            granted = operation["x-hal9-permission"] in ROLES[role]
            assert (answer.status_code != 403) == granted, (role, answer.text)
            assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("one", GUARDED, ids=identified)
async def test_a_guarded_route_knows_nothing_of_things_that_are_not_there(
    api: str, caller: MakeCaller, one: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, operation = one
    names = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"]
    if not names or operation["x-hal9-permission"] in OF_PERSONS:
        return
    me = await caller()
    said = []
    async with httpx.AsyncClient(base_url=api) as client:
        for thing in (NOBODY, "nonsense", "'", "%F0%9F%92%A9"):
            target = path
            for name in names:
                target = target.replace(name, thing)
            answer = await client.request(method, target, headers=me.header, json=body(operation))
            assert answer.status_code == 404, (thing, answer.text)
            said.append({**answer.json(), "trace_id": ""})
    assert all(one == said[0] for one in said)


@pytest.mark.parametrize(
    "path",
    [
        "/events",
        "/dead-letters",
        "/v1/events/../../events",
        "/v1/runs/../../events",
        "/v1/keys/..%2f..%2fevents",
        "/v1//runs",
        "/V1/runs",
        "/v1/runs/",
        "/v1/runs;x=1",
        "//evil.example/v1/runs",
    ],
)
async def test_internal_paths_are_not_there(api: str, caller: MakeCaller, path: str) -> None:
    me = await caller()

    def ask(method: str) -> int:
        with closing(HTTPConnection(api.removeprefix("http://"), timeout=20)) as connection:
            connection.request(method, path, headers=me.header)  # sent as it is, which httpx would not do
            return connection.getresponse().status

    for method in ("GET", "POST"):
        assert await asyncio.to_thread(ask, method) in (400, 404, 405 if method == "POST" else 404)
