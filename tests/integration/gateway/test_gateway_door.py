"""Who comes in: credentials, permissions, and what is refused in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.clock import SystemClock

if TYPE_CHECKING:
    import httpx

    from shared.shards import Shards
    from tests.integration.gateway.stage import MakeCaller

UNKNOWN = "hal9_aaaaaaaaaaaa_" + "A" * 43


def slug(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return str(problem["type"]).removeprefix("urn:hal9:problem:")


async def test_a_key_comes_in_as_its_organisation(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller("developer")
    answer = await client.post("/v1/mirror/x", headers=me.header)
    assert answer.status_code == 201
    told = answer.json()
    assert told["organisation"] == str(me.org_id)
    assert told["subject"] == f"key:{me.text.split('_')[1]}"
    assert told["scope"] == ["runs.create"], "the token holds the one permission that the route needs"
    assert told["region"] == "us-west"


@pytest.mark.parametrize("path", ["/nothing", "/v1/mirror", "/v1/mirror/a/b", "/v1", "/", "/v1/events/", "//v1/keys"])
@pytest.mark.parametrize("authenticated", [True, False])
async def test_an_unknown_path_is_404_for_everyone(
    client: httpx.AsyncClient, caller: MakeCaller, path: str, authenticated: bool
) -> None:
    headers = (await caller()).header if authenticated else {}
    answer = await client.get(f"http://gateway{path}", headers=headers)
    assert (answer.status_code, slug(answer)) == (404, "route-unknown")


async def test_a_wrong_method_is_405_and_says_which_are_right(client: httpx.AsyncClient) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = await client.request(method, "/v1/keys")
        assert (answer.status_code, slug(answer)) == (405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_no_credentials_are_401_with_a_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/keys")
    assert (answer.status_code, slug(answer)) == (401, "credentials-missing")
    assert "an API key" in answer.json()["detail"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_every_wrong_key_gets_the_same_answer(
    client: httpx.AsyncClient, caller: MakeCaller, shards: Shards
) -> None:
    me = await caller()
    other = await caller()
    now = SystemClock().now()
    expired = await caller(created_at=now - timedelta(days=2), expires_at=now - timedelta(seconds=1))
    revoked = await caller()
    owner = await caller(org_id=revoked.org_id)
    gone = await client.delete(f"/v1/keys/{revoked.key_id}", headers=owner.header)
    assert gone.status_code == 204
    _, prefix, secret = me.text.split("_", 2)
    wrong = {
        "unknown": UNKNOWN,
        "wrong secret": f"hal9_{prefix}_{'B' * 43}",
        "another's secret": f"hal9_{prefix}_{other.text.split('_', 2)[2]}",
        "another case": f"hal9_{prefix.upper()}_{secret}",
        "shorter": me.text[:-1],
        "longer": me.text + "A",
        "expired": expired.text,
        "revoked": revoked.text,
        "nothing but a prefix": "hal9_",
        "a token": "eyJhbGciOiJub25lIn0.e30.",
        "two keys": f"{me.text}, {me.text}",
        "SQL": "hal9_' OR true--_" + "A" * 43,
    }
    answers = {}
    for name, text in wrong.items():
        answer = await client.get("/v1/keys", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 401, name
        document = answer.json()
        document.pop("trace_id", None)
        answers[name] = (document, answer.headers["www-authenticate"])
    assert len({str(answer) for answer in answers.values()}) == 1, answers
    for header in (f"Basic {me.text}", me.text, "Bearer", "Bearer x", f"Bearer\t{me.text}"):
        assert (await client.get("/v1/keys", headers={"Authorization": header})).status_code == 401


async def test_two_authorization_headers_are_401(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    both = [("Authorization", f"Bearer {me.text}"), ("Authorization", f"Bearer {UNKNOWN}")]
    assert (await client.get("/v1/keys", headers=both)).status_code in (400, 401)


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("viewer", "POST", "/v1/mirror/x", 403),
        ("viewer", "POST", "/v1/keys", 403),
        ("viewer", "GET", "/v1/keys", 200),
        ("developer", "POST", "/v1/keys", 403),
        ("developer", "POST", "/v1/mirror/x", 201),
        ("operator", "POST", "/v1/mirror/x", 403),
        ("unheard-of", "GET", "/v1/keys", 403),
    ],
)
async def test_a_role_grants_what_the_table_says(
    client: httpx.AsyncClient, caller: MakeCaller, role: str, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path, headers=(await caller(role)).header)
    assert answer.status_code == status
    if status == 403:
        assert slug(answer) == "permission-missing"


async def test_a_use_is_noted_soon(client: httpx.AsyncClient, caller: MakeCaller, shards: Shards) -> None:
    from shared import apikeys

    me = await caller()
    await client.get("/v1/keys", headers=me.header)
    for _ in range(2000):
        (key,) = await apikeys.list_keys(shards.directory, me.org_id, before=None, limit=10)
        if key.last_used_at is not None:
            return
    raise AssertionError("the key's use was not noted")


async def test_every_answer_carries_the_headers_of_a_public_door(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    for answer in [
        await client.get("/v1/keys", headers=me.header),
        await client.get("/v1/keys"),
        await client.get("/nothing"),
        await client.get("/reference"),
        await client.get("/openapi.json"),
        await client.post("/v1/mirror/x", headers=me.header),
    ]:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["strict-transport-security"]
        assert len(answer.headers["x-trace-id"]) == 32
        assert answer.headers["cache-control"]
