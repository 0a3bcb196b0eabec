"""An organisation that an operator made: it can work, and what others have does not exist for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from events import deadletters
from events.cloudevent import CloudEvent
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.permissions import OF_PERSONS
from shared.settings import load
from shared.shards import Shards
from tests.platform_fixture import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.platform_fixture import RunningPlatform

    Made = tuple[RunningPlatform, dict[str, Any]]

REQUEST = "A library of temperature conversions: from Celsius to Fahrenheit and back."


@pytest.fixture(scope="module")
def acme(platforms: Callable[..., RunningPlatform]) -> Iterator[Made]:
    """A platform with a second organisation, as `hal9 organisations create --json` told of it."""
    platform = platforms(functions=None)
    platform.up()
    yield platform, json.loads(platform.hal9("organisations", "create", "acme", "--json").stdout)
    platform.down()


def client(platform: RunningPlatform, key: str) -> httpx.Client:
    return httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_organisations_are_listed_for_the_operator(acme: Made) -> None:
    platform, made = acme
    listed = {one["slug"]: one for one in json.loads(platform.hal9("organisations", "list", "--json").stdout)}
    assert listed["demo"]["org_id"] == platform.credentials["organisation"]
    assert {"key": made["key"], **listed["acme"]} == made
    assert "acme" in platform.hal9("organisations", "list").stdout
    with client(platform, made["key"]) as owner:
        (key,) = owner.get("/v1/keys").raise_for_status().json()["keys"]
    assert (key["roles"], key["name"]) == (["owner"], "acme")


def test_an_organisation_that_exists_gets_no_other_key(acme: Made) -> None:
    platform, _ = acme
    again = platform.hal9("organisations", "create", "acme", check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "a key of its owner works" in again.stderr
    nonsense = platform.hal9("organisations", "create", "Acme Ltd.", check=False)
    assert (nonsense.returncode, nonsense.stdout) == (2, "")


async def test_an_organisation_without_a_working_owner_gets_another_key(acme: Made) -> None:
    platform, _ = acme
    made = json.loads(platform.hal9("organisations", "create", "lost", "--json").stdout)
    connection = await asyncpg.connect(platform.state["shards_admin"][0])
    try:
        await connection.execute("UPDATE directory.api_keys SET expires_at = now() WHERE name = 'lost'")
    finally:
        await connection.close()
    again = json.loads(platform.hal9("organisations", "create", "lost", "--json").stdout)
    assert (again["org_id"], again["key"] == made["key"]) == (made["org_id"], False)
    with client(platform, again["key"]) as owner:
        assert owner.get("/v1/keys").status_code == 200


async def _kept_for(platform: RunningPlatform, org_id: UUID, run_id: str) -> tuple[UUID, UUID]:
    """Keep an artefact and a dead letter of an organisation; give their ids."""
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": ",".join(platform.state["shards"])}))
    artefact = new_id()
    event = CloudEvent(id="1", source="/here", type="com.example.noted", extensions={"orgid": str(org_id)})
    try:
        async with shards.transaction(org_id) as tx:
            await tx.execute(
                "INSERT INTO artefacts (org_id, artefact_id, run_id, media_type, sha256, size, engine, created_at)"
                " VALUES ($1, $2, $3, 'application/gzip', $4, 0, 'builtin', $5)",
                org_id, artefact, run_id, "0" * 64, SystemClock().now(),
            )  # fmt: skip
            await deadletters.add(tx, event, destination="nowhere", error_code=500, error="broken")
            letter: UUID = await tx.fetchval("SELECT id FROM dead_letters WHERE org_id = $1", org_id)
    finally:
        await shards.close()
    return artefact, letter


async def test_what_others_have_does_not_exist(acme: Made) -> None:
    platform, made = acme
    with client(platform, platform.credentials["api_key"]) as demo, client(platform, made["key"]) as other:
        project = demo.post("/v1/projects", json={"request": REQUEST}).raise_for_status().json()
        until(lambda: demo.get(f"/v1/runs/{project['run_id']}").status_code == 200)  # an event starts it
        key = demo.get("/v1/keys").json()["keys"][0]["id"]
        org_id = UUID(platform.credentials["organisation"])
        artefact, letter = await _kept_for(platform, org_id, project["run_id"])
        things = {
            "run_id": project["run_id"],
            "project_id": project["id"],
            "artefact_id": artefact,
            "letter_id": letter,
            "key_id": key,
        }
        routes = [
            (method.upper(), path)
            for path, operations in demo.get("/openapi.json").json()["paths"].items()
            for method, operation in operations.items()
            if "{" in path and operation["x-hal9-permission"] not in OF_PERSONS
        ]
        assert len(routes) >= 10
        for path in ("/v1/runs/{run_id}", "/v1/projects/{project_id}", "/v1/artefacts/{artefact_id}"):
            assert demo.get(path.format(**things)).status_code == 200, path
        assert demo.get(f"/v1/events/dead-letters/{letter}").status_code == 200
        bodies = {"/v1/projects/{project_id}/offer": {"organisation": str(org_id)}}
        for method, path in routes:
            theirs = other.request(method, path.format(**things), json=bodies.get(path))
            nobodys = other.request(method, path.format(**dict.fromkeys(things, new_id())), json=bodies.get(path))
            assert (theirs.status_code, theirs.json()) == (404, nobodys.json()), f"{method} {path}"
        taken, unknown = (
            other.post("/v1/projects/accepted", json={"organisation": str(org_id), "project_id": str(project_id)})
            for project_id in (project["id"], new_id())
        )
        assert (taken.status_code, taken.json()) == (404, unknown.json())
        for path in ("/v1/runs", "/v1/projects", "/v1/events/dead-letters"):
            assert [found for found in other.get(path).raise_for_status().json().values() if found] == [], path
        assert key not in other.get("/v1/keys").text
        demo.post(f"/v1/runs/{project['run_id']}/cancel").raise_for_status()


def test_up_renews_the_demo_key_when_it_was_revoked_or_lost(acme: Made) -> None:
    platform, _ = acme
    before = platform.credentials["api_key"]
    assert json.loads(platform.hal9("up", "--json").stdout)["already"]
    assert platform.credentials["api_key"] == before
    with client(platform, before) as demo:
        (key_id,) = [key["id"] for key in demo.get("/v1/keys").json()["keys"]]
        second = demo.post("/v1/keys", json={"name": "second", "roles": ["owner"]}).raise_for_status().json()
    with client(platform, second["key"]) as owner:
        assert owner.delete(f"/v1/keys/{key_id}").status_code == 204
    assert json.loads(platform.hal9("up", "--json").stdout)["already"]
    renewed = platform.credentials["api_key"]
    with client(platform, renewed) as demo:
        assert demo.get("/v1/keys").status_code == 200
    (platform.home / "credentials.json").unlink()
    platform.hal9("up")
    assert platform.credentials["api_key"] not in {before, renewed}


async def test_another_versions_databases_are_refused_with_what_to_do(acme: Made) -> None:
    platform, _ = acme
    connection = await asyncpg.connect(platform.state["shards_admin"][2])
    try:
        await connection.execute("UPDATE migrations.applied SET checksum = 'x' WHERE kind = 'shard' AND version = 3")
    finally:
        await connection.close()
    platform.down()
    refused = platform.hal9("up", check=False)
    assert refused.returncode == 1
    assert (
        "Error: The databases were made by another version of HAL9: start that one, or set HAL9_HOME" in refused.stderr
    )
