"""Who is signed in: what a session's cookie opens, from which pages, and what its user may do with their sessions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest
import pytest_asyncio

from functions.gateway import routes
from functions.gateway.bookmarks import COOKIE as BOOKMARK_COOKIE
from knative.platform.servers import Valkey
from shared.identifiers import new_id
from shared.permissions import CUSTOMER_ROLES, PERSON, ROLES
from shared.sessions import COOKIE, SessionFullError
from tests.integration.gateway.stage import DOORWAY, Person, connect
from tests.integration.gateway.test_gateway_door import slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from knative.platform.servers import Servers
    from shared.sessions import Sessions
    from tests.integration.gateway.stage import MakeCaller, SignIn, Stage

DOCUMENT = json.loads(routes.document())
GUARDED = [
    (method.upper(), path.replace("{", "").replace("}", ""), operation["x-hal9-permission"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if operation.get("x-hal9-permission") and path != "/v1/me/sign-out"
]


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """The cookies that an answer sets; every one with what keeps it to this host, HTTPS, and away from scripts."""
    found = {}
    for header in answer.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(header).items():
            assert name.startswith("__Host-")
            assert (morsel["path"], morsel["domain"], morsel["samesite"]) == ("/", "", "Lax")
            assert morsel["secure"]
            assert morsel["httponly"]
            found[name] = morsel.value
    return found


def again(person: Person, cookie: str) -> dict[str, str]:
    """What the same browser sends with another cookie."""
    return Person(person.org_id, person.user_id, person.session_id, cookie).header


async def test_who_is_signed_in_comes_in_as_themselves(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    me = await sign_in("developer")
    answer = await client.post("/v1/mirror/x", headers=me.header)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["organisation"], told["user"], told["subject"]) == (
        str(me.org_id), str(me.user_id), f"user:{me.user_id}",
    )  # fmt: skip
    assert told["scope"] == ["runs.create"]
    assert me.cookie not in answer.text, "the cookie stays at the door"
    assert '"user";r=' in answer.headers["ratelimit"]
    assert cookies_of(answer) == {}


async def test_a_session_may_do_what_its_roles_grant_and_no_more(api: str, sign_in: SignIn) -> None:
    async with httpx.AsyncClient(base_url=api) as client:
        for role in (*CUSTOMER_ROLES, "unheard-of"):
            for method, path, permission in GUARDED:
                me = await sign_in(role)
                answer = await client.request(method, path, headers=me.header)
                granted = permission in ROLES.get(role, frozenset()) | ROLES[PERSON]
                assert (answer.status_code != 403) == granted, (role, method, path, answer.text)
                assert answer.status_code < 500, (role, method, path, answer.text)


async def test_what_is_no_session_of_this_region_is_401_and_says_no_more(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    me, other = await sign_in("owner"), await sign_in("owner")
    gone = await sign_in("owner")
    await sessions.revoke(gone.cookie)
    unheard = Person(new_id(), new_id(), new_id(), "")
    region, text = me.cookie.split(".")
    wrong = {
        "revoked": gone.cookie,
        "cut": me.cookie[:-1],
        "longer": me.cookie + "A",
        "one bit": me.cookie[:-2] + ("A" if me.cookie[-2] != "A" else "B") + me.cookie[-1],
        "another's place": f"{region}.{other.cookie.split('.')[1][:3]}{text[3:]}",
        "an unknown region": f"eu-moon.{text}",
        "quoted": f'"{me.cookie}"',
        "none": "",
        "SQL": "us-west.' OR 1=1 --",
        "a key": "hal9_aaaaaaaaaaaa_" + "A" * 43,
        "two of them": f"{me.cookie}; {COOKIE}={other.cookie}",
    }
    answers = {}
    for name, cookie in wrong.items():
        answer = await client.get("/v1/keys", headers=again(unheard, cookie))
        assert answer.status_code == 401, (name, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        answers[name] = {**answer.json(), "trace_id": ""}
    missing = answers.pop("none")
    assert missing["type"] == "urn:hal9:problem:credentials-missing"
    assert len({str(answer) for answer in answers.values()}) == 1, answers
    assert (await client.get("/v1/keys", headers=me.header)).status_code == 200


async def test_a_key_goes_before_a_cookie(client: httpx.AsyncClient, sign_in: SignIn, caller: MakeCaller) -> None:
    me, key = await sign_in("viewer"), await caller("developer")
    answer = await client.post("/v1/mirror/x", headers={**me.header, **key.header, "Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["organisation"]) == (201, str(key.org_id))
    wrong = await client.post("/v1/mirror/x", headers={**me.header, "Authorization": "Bearer nonsense"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ([("Sec-Fetch-Site", "same-origin")], True),
        ([("Sec-Fetch-Site", "none")], True),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], True),
        ([("Sec-Fetch-Site", "cross-site")], False),
        ([("Sec-Fetch-Site", "same-site")], False),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", "https://gateway")], False),
        ([("Sec-Fetch-Site", "SAME-ORIGIN")], False),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], False),
        ([("Origin", "https://gateway")], True),
        ([("Origin", "http://gateway")], False),
        ([("Origin", "https://gateway.evil.example")], False),
        ([("Origin", "https://evil.example/gateway")], False),
        ([("Origin", "https://gateway:444")], False),
        ([("Origin", "null")], False),
        ([("Origin", "https://evil.example"), ("Origin", "https://gateway")], False),
        ([("Referer", "https://gateway/")], False),
        ([("Sec-Fetch-Site", "same-origin"), ("X-Http-Method-Override", "GET")], True),
        ([], False),
    ],
)
async def test_what_changes_something_is_taken_only_from_a_page_of_this_site(
    client: httpx.AsyncClient, sign_in: SignIn, headers: list[tuple[str, str]], taken: bool
) -> None:
    me = await sign_in("owner")
    cookie = [("Cookie", me.header["Cookie"])]
    answer = await client.post("/v1/mirror/x", headers=[*cookie, *headers])
    assert (answer.status_code == 201) == taken, answer.text
    if not taken:
        assert (answer.status_code, slug(answer)) == (403, "cross-site-request")
    assert (await client.get("/v1/keys", headers=[*cookie, *headers])).status_code == 200, "reading changes nothing"


async def test_behind_another_name_the_public_origins_are_those_that_are_set(stage: Stage, sign_in: SignIn) -> None:
    public = {"HAL9_PUBLIC_ORIGINS": "https://app.example.com https://app.example.org"}
    me = await sign_in("owner")
    async with connect(await stage.start(DOORWAY, "public-origins", public)) as client:
        for origin, status in [("https://app.example.org", 201), ("https://gateway", 403)]:
            headers = {"Cookie": me.header["Cookie"], "Origin": origin}
            assert (await client.post("/v1/mirror/x", headers=headers)).status_code == status
        neighbour = {**headers, "Origin": "https://app.example.org", "Sec-Fetch-Site": "same-site"}
        refused = await client.post("/v1/mirror/x", headers=neighbour)
        assert (refused.status_code, slug(refused)) == (403, "cross-site-request"), "listed, and yet another host's"


async def test_who_am_i(client: httpx.AsyncClient, sign_in: SignIn, caller: MakeCaller) -> None:
    me, key = await sign_in("developer", "viewer", device="Firefox"), await caller("viewer")
    told = (await client.get("/v1/me", headers=me.header)).json()
    assert (told["user"], told["key"], told["roles"]) == (str(me.user_id), None, ["developer", "viewer"])
    assert set(told["permissions"]) == ROLES["developer"] | ROLES[PERSON]
    assert (told["session"]["id"], told["session"]["device"]) == (str(me.session_id), "Firefox")
    assert told["session"]["current"] is True
    told = (await client.get("/v1/me", headers=key.header)).json()
    assert (told["user"], told["key"], told["session"]) == (None, str(key.key_id), None)
    assert (told["organisation"], told["roles"]) == (str(key.org_id), ["viewer"])


async def test_ones_own_sessions_are_listed_and_ended_and_nobody_else_s(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    me = await sign_in("viewer", device="Laptop")
    same = {"org_id": me.org_id, "user_id": me.user_id}
    phone = await sign_in("viewer", **same, device="Phone", address="203.0.113.7")
    colleague = await sign_in("owner", org_id=me.org_id)
    namesake = await sign_in("owner", user_id=me.user_id)
    listed = (await client.get("/v1/me/sessions", headers=me.header)).json()["sessions"]
    assert {(one["id"], one["device"], one["current"]) for one in listed} == {
        (str(me.session_id), "Laptop", True),
        (str(phone.session_id), "Phone", False),
    }
    for other in (colleague, namesake):
        answer = await client.delete(f"/v1/me/sessions/{other.session_id}", headers=me.header)
        assert answer.status_code == 404
        assert (await client.get("/v1/me", headers=other.header)).status_code == 200
    assert (await client.delete("/v1/me/sessions/nonsense", headers=me.header)).status_code == 404
    ended = await client.delete(f"/v1/me/sessions/{phone.session_id}", headers=me.header)
    assert (ended.status_code, cookies_of(ended)) == (204, {})
    assert (await client.get("/v1/me", headers=phone.header)).status_code == 401
    own = await client.delete(f"/v1/me/sessions/{me.session_id}", headers=me.header)
    assert (own.status_code, cookies_of(own)) == (204, {COOKIE: ""})
    assert (await client.get("/v1/me", headers=me.header)).status_code == 401


async def test_all_other_sessions_end_and_this_one_goes_on_under_a_new_id(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    me = await sign_in("developer", device="Laptop", data={"idp": "okta"}, seconds=3000)
    phone = await sign_in("developer", org_id=me.org_id, user_id=me.user_id)
    colleague = await sign_in("viewer", org_id=me.org_id)
    before = (await client.get("/v1/me", headers=me.header)).json()["session"]
    done = await client.delete("/v1/me/sessions", headers=me.header)
    assert done.status_code == 204
    cookie = cookies_of(done)[COOKIE]
    for ended in (me, phone):
        assert (await client.get("/v1/me", headers=ended.header)).status_code == 401
    assert (await client.get("/v1/me", headers=colleague.header)).status_code == 200
    after = (await client.get("/v1/me", headers=again(me, cookie))).json()
    assert (after["roles"], after["session"]["device"]) == (["developer"], "Laptop")
    assert after["session"]["ends_at"][:18] <= before["ends_at"][:18], "it does not last longer by that"
    (left,) = (await client.get("/v1/me/sessions", headers=again(me, cookie))).json()["sessions"]
    assert left["current"]


async def test_signing_out_ends_the_session_and_takes_the_cookie_away(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    me = await sign_in("viewer")
    planted = {"Cookie": me.header["Cookie"], "Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/v1/me/sign-out", headers=planted)).status_code == 403
    renewed = await sessions.renew(me.cookie, {"owner"})
    with_old_id = await client.post("/v1/me/sign-out", headers=me.header)
    assert (with_old_id.status_code, cookies_of(with_old_id)) == (204, {COOKIE: ""})
    assert with_old_id.headers["clear-site-data"] == '"cache", "storage"'
    for cookie in (me.cookie, renewed.cookie):
        assert (await client.get("/v1/me", headers=again(me, cookie))).status_code == 401


async def test_a_region_that_is_away_is_named_and_this_one_has_signed_out(stage: Stage, sign_in: SignIn) -> None:
    me = await sign_in("viewer")
    phone = await sign_in("viewer", org_id=me.org_id, user_id=me.user_id)
    regions = {"HAL9_SESSION_REGIONS": f"us-east=unix://{stage.folder}/nobody.sock"}
    async with connect(await stage.start(DOORWAY, "half-away", regions)) as client:
        others = await client.delete("/v1/me/sessions", headers=me.header)
        assert (others.status_code, slug(others), others.json()["regions"]) == (
            503, "revocation-incomplete", ["us-east"],
        )  # fmt: skip
        assert (await client.get("/v1/me", headers=phone.header)).status_code == 401
        now = again(me, cookies_of(others)[COOKIE])
        assert (await client.get("/v1/me", headers=now)).status_code == 200
        out = await client.post("/v1/me/sign-out", headers=now)
        assert (out.status_code, slug(out), cookies_of(out)) == (503, "revocation-incomplete", {COOKIE: ""})
        assert (await client.get("/v1/me", headers=now)).status_code == 401


async def test_a_replaced_id_reads_for_a_moment_with_what_both_may_and_changes_no_session(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    me = await sign_in("viewer")
    renewed = await sessions.renew(me.cookie, {"viewer", "owner"})
    assert (await client.get("/v1/me", headers=me.header)).json()["roles"] == ["viewer"]
    assert (await client.post("/v1/mirror/x", headers=me.header)).status_code == 403
    for method, path in [("GET", ""), ("DELETE", ""), ("DELETE", f"/{me.session_id}")]:
        answer = await client.request(method, f"/v1/me/sessions{path}", headers=me.header)
        assert (answer.status_code, slug(answer)) == (409, "session-superseded")
    assert (await client.post("/v1/mirror/x", headers=again(me, renewed.cookie))).status_code == 201


async def test_api_keys_have_no_sessions(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller("owner")
    for method, path in [
        ("GET", "/v1/me/sessions"), ("DELETE", "/v1/me/sessions"), ("DELETE", f"/v1/me/sessions/{new_id()}"),
        ("POST", "/v1/me/sign-out"),
    ]:  # fmt: skip
        answer = await client.request(method, path, headers=me.header)
        assert (answer.status_code, slug(answer)) == (403, "session-required")


async def test_a_revocation_counts_from_the_next_request_on_at_every_instance(
    stage: Stage, client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    people = [await sign_in("viewer") for _ in range(3)]
    async with connect(await stage.start(DOORWAY, "second-door")) as second:
        for one in people:
            for door in (client, second):
                assert (await door.get("/v1/me", headers=one.header)).status_code == 200
        await sessions.revoke(people[0].cookie)
        await sessions.revoke_user(people[1].org_id, people[1].user_id)
        await sessions.shred(people[2].org_id)
        for one in people:
            for door in (client, second):
                assert (await door.get("/v1/me", headers=one.header)).status_code == 401


async def test_a_stream_ends_when_whoever_asked_for_it_is_admitted_no_more(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, caller: MakeCaller
) -> None:
    owner = await caller("owner")
    key = await caller("viewer", org_id=owner.org_id)
    people = {name: await sign_in("viewer") for name in ("device", "everybody", "shredded", "demoted", "renewed")}
    over: list[str] = []

    async def watch(name: str, header: dict[str, str], begun: asyncio.Event) -> None:
        async with client.stream("GET", "/v1/ticks?endless", headers=header) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw():
                begun.set()
        over.append(name)

    async def watched(name: str, header: dict[str, str]) -> asyncio.Task[None]:
        begun = asyncio.Event()
        task = asyncio.create_task(watch(name, header, begun))
        await begun.wait()
        return task

    tasks = [await watched(name, one.header) for name, one in people.items()]
    tasks += [await watched("key", key.header), await watched("owner", owner.header)]
    await sessions.revoke(people["device"].cookie)
    await sessions.revoke_organisation(people["everybody"].org_id)
    await sessions.shred(people["shredded"].org_id)
    await sessions.renew(people["demoted"].cookie, ())
    await sessions.renew(people["renewed"].cookie, {"viewer"})
    assert (await client.delete(f"/v1/keys/{key.key_id}", headers=owner.header)).status_code == 204
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks[:4], tasks[5])
    assert set(over) == {"device", "everybody", "shredded", "demoted", "key"}
    assert not tasks[4].done(), "it goes on under its new id"
    assert not tasks[6].done()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_person_s_limit_holds_over_all_their_sessions_and_leaves_others_theirs(
    stage: Stage, sign_in: SignIn
) -> None:
    narrow = {"HAL9_LIMIT_USER_PER_SECOND": "0.01", "HAL9_LIMIT_USER_BURST": "3"}
    me = await sign_in("viewer")
    phone = await sign_in("viewer", org_id=me.org_id, user_id=me.user_id)
    colleague = await sign_in("viewer", org_id=me.org_id)
    namesake = await sign_in("viewer", user_id=me.user_id)
    async with connect(await stage.start(DOORWAY, "narrow-user", narrow)) as client:
        answers = [await client.get("/v1/me", headers=one.header) for one in (me, phone, me, phone)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["violated-policies"] == ["user"]
        for other in (colleague, namesake):
            assert (await client.get("/v1/me", headers=other.header)).status_code == 200


async def seen(client: httpx.AsyncClient, headers: dict[str, str]) -> str | None:
    """The bookmark with which a request arrives at a function."""
    told = (await client.post("/v1/mirror/x", headers=headers)).json()
    found: str | None = dict(told["headers"]).get("hal9-bookmark")
    return found


async def test_a_session_carries_the_bookmark_of_its_changes(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    me, other = await sign_in("owner"), await sign_in("owner")
    assert await seen(client, me.header) is None, "without one the primary answers"
    await client.post("/v1/mirror/x?bookmark=1.a0", headers=me.header)
    assert await seen(client, me.header) == "1.a0"
    assert await seen(client, other.header) is None
    await client.post("/v1/mirror/x?bookmark=1.9f", headers=me.header)
    assert await seen(client, me.header) == "1.a0", "an answer that comes late takes nothing back"
    await asyncio.gather(*(client.post(f"/v1/mirror/x?bookmark=1.{0x100 + n:x}", headers=me.header) for n in range(20)))
    assert await seen(client, me.header) == "1.113"
    assert await seen(client, {**me.header, "HAL9-Bookmark": "1.b"}) == "1.b"
    await client.post("/v1/mirror/x?bookmark=2.5", headers=me.header)
    assert await seen(client, me.header) is None, "of two shards only the primary knows both"
    for later in ("2.6", "1.f0"):
        await client.post(f"/v1/mirror/x?bookmark={later}", headers=me.header)
        assert await seen(client, me.header) is None, "a late answer's may be less than what they stood for"


async def test_a_bookmark_that_the_session_cannot_take_is_carried_by_a_cookie(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    me = await sign_in("owner")
    await client.post("/v1/mirror/x?bookmark=1.10", headers=me.header)
    renewed = await sessions.renew(me.cookie, {"owner"})
    # The request was under way with the old id, which changes no session any more.
    answer = await client.post("/v1/mirror/x?bookmark=1.20", headers=me.header)
    assert (answer.status_code, cookies_of(answer)) == (201, {BOOKMARK_COOKIE: "1.20"})
    now = again(me, renewed.cookie)
    assert await seen(client, now) == "1.10"
    both = {**now, "Cookie": f"{now['Cookie']}; {BOOKMARK_COOKIE}=1.20"}
    assert await seen(client, both) == "1.20"
    for odd in ("2.20", "nonsense"):
        assert await seen(client, {**now, "Cookie": f"{now['Cookie']}; {BOOKMARK_COOKIE}={odd}"}) is None


def notes(length: int) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    """A change of a session's data, which leaves nothing but notes in it."""
    return lambda _: {"notes": "x" * length}


async def test_a_bookmark_for_which_a_full_session_has_no_room_is_carried_by_a_cookie(
    client: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    me = await sign_in("owner")
    for length in range(4096, 0, -4):
        with contextlib.suppress(SessionFullError):
            await sessions.update(me.cookie, notes(length))
            break
    answer = await client.post("/v1/mirror/x?bookmark=1.20", headers=me.header)
    assert (answer.status_code, cookies_of(answer)) == (201, {BOOKMARK_COOKIE: "1.20"})
    both = {**me.header, "Cookie": f"{me.header['Cookie']}; {BOOKMARK_COOKIE}=1.20"}
    assert await seen(client, both) == "1.20"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def east(short_folder: Path) -> AsyncIterator[Valkey]:
    """The cache of another region."""
    server = Valkey(short_folder / "east-data", short_folder / "run-east-door", short_folder / "east-door")
    server.log = short_folder / "east-door.log"
    await server.start()
    yield server
    await server.stop()


async def test_a_session_of_another_region_comes_along_unless_it_is_pinned(
    stage: Stage, servers: Servers, sign_in: SignIn, east: Valkey
) -> None:
    me, pinned = await sign_in("viewer"), await sign_in("viewer")
    directory = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    await directory.execute("UPDATE directory.organisations SET pinned = true WHERE org_id = $1", pinned.org_id)
    await directory.close()
    environment = {
        "HAL9_REGION": "us-east",
        "HAL9_CACHE_URL": east.url,
        "HAL9_SESSION_REGIONS": f"us-west={servers.cache_url}",
    }
    async with connect(await stage.start(DOORWAY, "eastern", environment)) as client:
        answers = await asyncio.gather(*(client.get("/v1/me", headers=me.header) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        (cookie,) = {cookies_of(answer)[COOKIE] for answer in answers}
        assert cookie.startswith("us-east.")
        settled = await client.get("/v1/me", headers=again(me, cookie))
        assert (settled.json()["session"]["region"], cookies_of(settled)) == ("us-east", {})
        stays = await client.get("/v1/me", headers=pinned.header)
        assert (stays.status_code, slug(stays), stays.json()["region"]) == (421, "session-elsewhere", "us-west")
    async with connect(stage.folder / "doorway.sock") as client:
        assert (await client.get("/v1/me", headers=pinned.header)).status_code == 200
        # A door of the old region that knows no other one can only say where the session went.
        left = await client.get("/v1/me", headers=me.header)
        assert (left.status_code, left.json()["region"]) == (421, "us-east")
        unknown = await client.get("/v1/me", headers=again(me, cookie))
        assert unknown.status_code == 401


async def test_while_the_cache_is_away_nobody_is_signed_out_and_keys_go_on(
    stage: Stage, sign_in: SignIn, caller: MakeCaller
) -> None:
    me, key = await sign_in("viewer"), await caller("viewer")
    away = {"HAL9_CACHE_URL": f"unix://{stage.folder}/nobody.sock"}
    async with connect(await stage.start(DOORWAY, "sessionless", away)) as client:
        for _ in range(5):
            refused = await client.get("/v1/me", headers=me.header)
            assert (refused.status_code, slug(refused)) == (503, "cache-unavailable")
            assert int(refused.headers["retry-after"]) >= 1
        assert (await client.get("/v1/me", headers=key.header)).status_code == 200


async def test_where_no_keys_seal_sessions_a_cookie_is_nothing(stage: Stage, sign_in: SignIn) -> None:
    me = await sign_in("owner")
    async with connect(await stage.start(DOORWAY, "keyless", {"HAL9_DATA_KEYS": ""})) as client:
        refused = await client.get("/v1/me", headers=me.header)
        assert (refused.status_code, slug(refused)) == (401, "credentials-missing")
