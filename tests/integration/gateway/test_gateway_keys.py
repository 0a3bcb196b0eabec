"""API keys over HTTP: shown once, kept as hashes, revoked at once and everywhere."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest

from shared import apikeys
from shared.identifiers import new_id
from shared.sessions import COOKIE
from tests.integration.data.test_shard_commands import hal9
from tests.integration.gateway.stage import DOORWAY, connect

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    import httpx

    from knative.platform.servers import Servers
    from shared.sessions import Sessions
    from shared.shards import Shards
    from tests.integration.gateway.stage import MakeCaller, Stage


async def test_a_key_is_made_used_listed_and_revoked(
    client: httpx.AsyncClient, caller: MakeCaller, shards: Shards
) -> None:
    me = await caller()
    body = {"name": "ci \u00e9", "roles": ["developer", "viewer", "developer"], "expires_in_days": 7}
    made = await client.post("/v1/keys", json=body, headers=me.header)
    assert made.status_code == 201
    key = made.json()
    assert key["roles"] == ["developer", "viewer"]
    assert made.headers["cache-control"] == "no-store"
    theirs = {"Authorization": f"Bearer {key['key']}"}
    assert (await client.post("/v1/mirror/x", headers=theirs)).json()["organisation"] == str(me.org_id)

    listed = (await client.get("/v1/keys", headers=me.header)).json()["keys"]
    assert [one["id"] for one in listed] == [key["id"], str(me.key_id)]
    assert "key" not in listed[0]
    assert key["key"].startswith(listed[0]["prefix"])
    secret = key["key"].split("_", 2)[2]
    rows = await apikeys.list_keys(shards.directory, me.org_id, before=None, limit=10)
    assert secret.encode() not in rows[0].secret_hash
    assert secret not in str(rows[0])

    for _ in range(2):
        assert (await client.delete(f"/v1/keys/{key['id']}", headers=me.header)).status_code == 204
    assert (await client.post("/v1/mirror/x", headers=theirs)).status_code == 401
    listed = (await client.get("/v1/keys", headers=me.header)).json()["keys"]
    assert listed[0]["revoked_at"] is not None


async def test_a_key_says_who_made_it(
    client: httpx.AsyncClient, caller: MakeCaller, sessions: Sessions, shards: Shards
) -> None:
    me = await caller()
    signed_in, user = await sessions.create(me.org_id, user_id := new_id(), {"owner"}), f"user:{user_id}"
    cookie = {"Cookie": f"{COOKIE}={signed_in.cookie}", "Sec-Fetch-Site": "same-origin"}
    body = {"name": "a", "roles": ["viewer"]}
    by_key = await client.post("/v1/keys", json=body, headers=me.header)
    by_user = await client.post("/v1/keys", json=body, headers=cookie)
    assert (by_key.status_code, by_user.status_code) == (201, 201)
    async with shards.directory.transaction(f"SET LOCAL hal9.org_id='{me.org_id}'") as tx:
        await tx.execute(  # as the release before does
            "INSERT INTO directory.api_keys (org_id, key_id, prefix, secret_hash, name, roles)"
            " VALUES ($1, $2, $3, '', 'early', '{viewer}')",
            me.org_id, new_id(), str(new_id()),
        )  # fmt: skip
    listed = (await client.get("/v1/keys", headers=me.header)).json()["keys"]
    mine = me.header["Authorization"].split("_")[1]
    assert [key["made_by"] for key in listed] == [None, user, f"key:{mine}", "operator"]
    assert by_user.json()["made_by"] == user


async def test_the_operator_lists_and_ends_keys_of_one_organisation_everywhere_at_once(
    client: httpx.AsyncClient, caller: MakeCaller, servers: Servers
) -> None:
    me, other = await caller(), await caller()
    made = [
        (await client.post("/v1/keys", json={"name": name, "roles": ["admin"]}, headers=me.header)).json()
        for name in ("first", "second", "third")
    ]
    headers = [{"Authorization": f"Bearer {key['key']}"} for key in made]

    async def stands() -> list[bool]:
        answers = [await client.get("/v1/keys", headers=one) for one in (*headers, me.header, other.header)]
        return [answer.status_code == 200 for answer in answers]

    async def organisations(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {"HAL9_SHARDS_ADMIN": servers.shards_admin_dsn, "HAL9_CACHE_URL": servers.cache_url}
        return await hal9("organisations", *arguments, **environ)

    org_id, maker = str(me.org_id), f"key:{me.header['Authorization'].split('_')[1]}"
    assert await stands() == [True] * 5
    listed = json.loads((await organisations("keys", org_id, "--json")).stdout)
    assert [(key["id"], key["made_by"]) for key in listed] == [
        *((key["id"], maker) for key in reversed(made)), (str(me.key_id), "operator"),
    ]  # fmt: skip
    assert maker in (await organisations("keys", org_id)).stdout
    one = await organisations("revoke-keys", org_id, made[0]["id"], "--json")
    assert json.loads(one.stdout) == {"revoked": [made[0]["id"]]}
    assert await stands() == [False, True, True, True, True], "at once, whatever a gateway remembers"
    again = await organisations("revoke-keys", org_id, made[0]["id"])
    assert (again.returncode, "has no key" in again.stderr) == (1, True)
    assert (await organisations("revoke-keys", org_id)).returncode == 2
    assert (await organisations("revoke-keys", org_id, "--made-by", maker)).stdout == "Revoked: 2.\n"
    assert await stands() == [False, False, False, True, True]
    assert (await organisations("revoke-keys", org_id, "--all")).stdout == "Revoked: 1.\n"
    assert await stands() == [False, False, False, False, True]
    assert json.loads((await organisations("keys", org_id, "--json")).stdout) == []
    for command in (("keys", "nobody-has-this"), ("revoke-keys", "nobody-has-this", "--all")):
        nobody = await organisations(*command)
        assert (nobody.returncode, "There is no such organisation" in nobody.stderr) == (1, True)
    assert len(json.loads((await organisations("keys", org_id, "--all", "--json")).stdout)) == 4


async def test_pages_hold_every_key_once(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    made = [str((await caller("viewer", org_id=me.org_id)).key_id) for _ in range(6)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query: dict[str, str] = {"limit": "3"} if cursor is None else {"limit": "3", "cursor": cursor}
        page = (await client.get("/v1/keys", params=query, headers=me.header)).json()
        seen += [key["id"] for key in page["keys"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [*reversed(made), str(me.key_id)]


async def test_another_organisations_key_is_not_there(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me, other = await caller(), await caller()
    theirs = await client.delete(f"/v1/keys/{other.key_id}", headers=me.header)
    nobodys = await client.delete("/v1/keys/01997cc8-8b5c-7d3e-9a41-3f5a6c0d2e11", headers=me.header)
    nonsense = await client.delete("/v1/keys/nonsense", headers=me.header)
    assert theirs.status_code == nobodys.status_code == nonsense.status_code == 404
    assert theirs.json() == nobodys.json() == nonsense.json()
    assert (await client.get("/v1/keys", headers=other.header)).status_code == 200
    listed = (await client.get("/v1/keys", headers=me.header)).json()["keys"]
    assert [key["id"] for key in listed] == [str(me.key_id)]


async def test_no_key_is_made_where_the_organisation_is_merged_meanwhile(
    client: httpx.AsyncClient, caller: MakeCaller, servers: Servers
) -> None:
    me, other = await caller(), await caller()
    owner = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    await owner.execute(
        "UPDATE directory.organisations SET merged_into = $2 WHERE org_id = $1", me.org_id, other.org_id
    )
    await owner.close()
    answer = await client.post("/v1/keys", json={"name": "late", "roles": ["viewer"]}, headers=me.header)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:hal9:problem:organisation-merged")
    listed = (await client.get("/v1/keys", headers=me.header)).json()["keys"]
    assert [key["id"] for key in listed] == [str(me.key_id)]


async def test_a_key_cannot_revoke_itself(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    answer = await client.delete(f"/v1/keys/{me.key_id}", headers=me.header)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:hal9:problem:key-in-use")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name", "/roles"}),
        ({"name": "", "roles": []}, {"/name", "/roles"}),
        ({"name": "a\u0000b", "roles": ["viewer"]}, None),
        ({"name": "a\nb", "roles": ["viewer"]}, {"/name"}),
        ({"name": "a" * 101, "roles": ["viewer"]}, {"/name"}),
        ({"name": "a", "roles": ["operator"]}, {"/roles/0"}),
        ({"name": "a", "roles": ["viewer"], "expires_in_days": 0}, {"/expires_in_days"}),
        ({"name": "a", "roles": ["viewer"], "expires_in_days": "7"}, {"/expires_in_days"}),
        ({"name": "a", "roles": ["viewer"], "org_id": "x"}, {"/org_id"}),
    ],
)
async def test_a_wrong_request_is_refused_with_every_fault(
    client: httpx.AsyncClient, caller: MakeCaller, body: dict[str, object], pointers: set[str] | None
) -> None:
    answer = await client.post("/v1/keys", json=body, headers=(await caller()).header)
    if pointers is None:
        assert answer.status_code == 400
        return
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


async def test_nobody_gives_away_more_than_they_have(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller("admin")
    made = {
        role: await client.post("/v1/keys", json={"name": "a", "roles": [role]}, headers=me.header)
        for role in ("owner", "admin")
    }
    assert {role: answer.status_code for role, answer in made.items()} == {"owner": 403, "admin": 201}
    assert made["owner"].json()["type"] == "urn:hal9:problem:role-beyond-yours"
    developer = await caller("developer", org_id=me.org_id)
    answer = await client.post("/v1/keys", json={"name": "a", "roles": ["viewer"]}, headers=developer.header)
    assert answer.status_code == 403


async def test_an_admin_does_not_revoke_an_owners_key(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    owner = await caller()
    admin, other = await caller("admin", org_id=owner.org_id), await caller("admin", org_id=owner.org_id)
    refused = await client.delete(f"/v1/keys/{owner.key_id}", headers=admin.header)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:hal9:problem:role-beyond-yours")
    assert (await client.get("/v1/keys", headers=owner.header)).status_code == 200
    assert (await client.delete(f"/v1/keys/{other.key_id}", headers=admin.header)).status_code == 204


async def test_owners_who_revoke_each_other_leave_one(
    client: httpx.AsyncClient, caller: MakeCaller, shards: Shards
) -> None:
    first = await caller()
    second = await caller(org_id=first.org_id)
    await caller(org_id=first.org_id, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    answers = await asyncio.gather(
        client.delete(f"/v1/keys/{second.key_id}", headers=first.header),
        client.delete(f"/v1/keys/{first.key_id}", headers=second.header),
    )
    assert min(answer.status_code for answer in answers) == 204
    left = await apikeys.list_keys(shards.directory, first.org_id, before=None, limit=10)
    (last,) = [key for key in left if key.active(datetime.now(UTC))]
    with pytest.raises(apikeys.LastOwnerKeyError):
        await apikeys.revoke(shards.directory, first.org_id, last.key_id, datetime.now(UTC))


async def test_a_revoked_key_is_refused_by_every_instance_at_once(
    stage: Stage, doorway: Path, caller: MakeCaller
) -> None:
    second = await stage.start(DOORWAY, "second")
    owner = await caller()
    victim = await caller("viewer", org_id=owner.org_id)
    async with connect(doorway) as here, connect(second) as there:
        for client in (here, there):
            assert (await client.get("/v1/keys", headers=victim.header)).status_code == 200
        assert (await here.delete(f"/v1/keys/{victim.key_id}", headers=owner.header)).status_code == 204
        for client in (there, here):
            assert (await client.get("/v1/keys", headers=victim.header)).status_code == 401
