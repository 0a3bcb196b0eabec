"""Which Secrets a deployment makes of its environment, who gets them, and what it refuses."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from knative.deploy.cluster import connect
from knative.deploy.secrets import Secrets, prepare
from knative.description import FunctionDescription, load_all
from knative.description.model import Secret
from knative.render import Target, render
from knative.render.target import Data
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = load_all(Path(__file__).parents[3] / "functions")
FUNCTIONS = tuple(one for one in ALL if one.name != "gateway")
TARGET = Target("eu-central")
DATABASES = {"HAL9_SHARDS": "postgresql://a", "HAL9_SHARDS_ADMIN": "postgresql://b", "HAL9_CACHE_URL": "redis://c"}
KEYS = "kms:eu-central=arn:aws:kms:eu-central-1:1:key/a"
MACS = "eu-central=arn:aws:kms:eu-central-1:1:key/b"


def with_keys(name: str = "codegen") -> tuple[FunctionDescription, ...]:
    """Have a function say that it needs the master keys."""
    more = (Secret("HAL9_DATA_KEYS"), Secret("HAL9_DATA_KEYS_MAC"))
    return tuple(
        msgspec.structs.replace(one, secrets=(*one.secrets, *more)) if one.name == name else one for one in FUNCTIONS
    )


class Cluster:
    """A namespace with the Secrets that a test puts there."""

    def __init__(self) -> None:
        self.secrets: dict[str, bytes] = {}

    def __call__(self, _method: str, path: str, _given: Any) -> tuple[int, Any]:
        if not path.endswith("/secrets"):
            return 404, {"message": "not found"}
        items = [
            {
                "metadata": {"name": name, "resourceVersion": "1"},
                "data": {"value": base64.b64encode(value).decode()},
            }
            for name, value in self.secrets.items()
        ]
        return 200, {"metadata": {}, "items": items}


@pytest.fixture
def there() -> Cluster:
    return Cluster()


@pytest.fixture
def context(there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens."""
    with api_server(there, tmp_path, monkeypatch) as name:
        yield name


async def prepared(
    context: str, functions: tuple[FunctionDescription, ...], *targets: Target, **environment: str
) -> Secrets:
    async with connect(context, "hal9") as cluster:
        return await prepare(cluster, functions, (*targets, TARGET)[0], {**DATABASES, **environment})


async def test_master_keys_become_secrets_where_a_function_says_that_it_needs_them(context: str) -> None:
    given = {"HAL9_DATA_KEYS": KEYS, "HAL9_DATA_KEYS_MAC": "eu-central=arn:aws:kms:eu-central-1:1:key/b"}
    found = await prepared(context, with_keys(), **given)
    written = {one["metadata"]["name"]: one.get("data", {}) for one in found.writes}
    assert base64.b64decode(written["hal9-data-keys"]["value"]).decode() == KEYS
    assert "hal9-data-keys-mac" in written
    assert found.faults == ()
    without = await prepared(context, FUNCTIONS, **given)
    assert not any("data-keys" in one["metadata"]["name"] for one in without.writes)
    assert KEYS not in repr(found)


async def test_without_them_that_function_is_refused_by_their_name(context: str) -> None:
    found = await prepared(context, with_keys())
    assert [one.what for one in found.faults] == [
        "The Secret hal9-data-keys is missing.",
        "The Secret hal9-data-keys-mac is missing.",
    ]


async def test_backups_want_addresses_that_may_replicate_and_keys_of_kms(context: str) -> None:
    backed_up = Target("eu-central", backups="s3://backups")
    found = await prepared(context, FUNCTIONS, backed_up)
    assert [one.what for one in found.faults] == [
        "The Secret hal9-backup-shards is missing.",
        "The Secret hal9-data-keys is missing.",
        "The Secret hal9-data-keys-mac is missing.",
    ]
    given = {"HAL9_BACKUP_SHARDS": "postgresql://d", "HAL9_DATA_KEYS": KEYS, "HAL9_DATA_KEYS_MAC": MACS}
    found = await prepared(context, FUNCTIONS, backed_up, **given)
    written = {one["metadata"]["name"]: one.get("data", {}) for one in found.writes}
    assert base64.b64decode(written["hal9-backup-shards"]["value"]) == b"postgresql://d"
    assert found.faults == ()
    refused = await prepared(context, FUNCTIONS, backed_up, **given | {"HAL9_DATA_KEYS": "file:///keys"})
    assert ["names no keys of KMS" in one.what for one in refused.faults] == [True]


async def test_servers_for_trying_out_have_a_password_for_backups_where_these_are_asked_for(context: str) -> None:
    given = {"HAL9_DATA_KEYS": KEYS, "HAL9_DATA_KEYS_MAC": MACS, "HAL9_BACKUP_SHARDS": "postgresql://d"}
    trial = Target("eu-central", environment="trial", data=Data(postgres="18-a", valkey="9-b"))
    written: dict[str, dict[str, str]] = {}
    for target, keys in ((trial, {"owner", "app", "cache"}), (replace(trial, backups="s3://b"), {"backup"})):
        before = written.get("hal9-data", {}).keys()
        found = await prepared(context, FUNCTIONS, target, **given)
        written = {one["metadata"]["name"]: one.get("data", {}) for one in found.writes}
        assert written["hal9-data"].keys() - before == keys
        assert found.faults == ()
    password = base64.b64decode(written["hal9-data"]["backup"]).decode()
    addresses = base64.b64decode(written["hal9-backup-shards"]["value"]).decode().split(",")
    assert [one.partition(".")[0] for one in addresses] == [
        f"postgresql://hal9_backup:{password}@hal9-postgres-{shard}" for shard in range(3)
    ], "its own servers', whatever the environment names"


@pytest.mark.parametrize("value", ["file:///keys", "", "nonsense"])
async def test_keys_in_files_are_refused_wherever_they_come_from(context: str, there: Cluster, value: str) -> None:
    there.secrets = {"hal9-data-keys": value.encode(), "hal9-data-keys-mac": b"x"}
    given: list[dict[str, str]] = [{}, {"HAL9_DATA_KEYS": "file:///keys"}]
    for environment in given:
        found = await prepared(context, with_keys(), **environment)
        ((what, remedy),) = [(one.what, one.remedy) for one in found.faults]
        assert what.startswith("HAL9_DATA_KEYS (Secret hal9-data-keys) names no keys of KMS")
        assert "kms:REGION=ARN" in remedy
    assert (await prepared(context, with_keys(), HAL9_DATA_KEYS=KEYS)).faults == ()


async def test_the_gateway_gets_them_where_they_are_and_starts_without_them(context: str) -> None:
    given = {"HAL9_DATA_KEYS": KEYS, "HAL9_DATA_KEYS_MAC": "eu-central=arn:aws:kms:eu-central-1:1:key/b"}
    assert (await prepared(context, ALL)).faults == ()
    written = {one["metadata"]["name"] for one in (await prepared(context, ALL, **given)).writes}
    assert {"hal9-data-keys", "hal9-data-keys-mac"} <= written


def test_only_the_function_that_says_so_gets_them_and_may_ask_for_them_outside() -> None:
    def rendered(functions: tuple[FunctionDescription, ...], kind: str) -> dict[str, str]:
        found = [one for file in render(functions, TARGET).values() for one in file if one["kind"] == kind]
        return {one["metadata"]["name"]: json.dumps(one) for one in found}

    services = rendered(with_keys("upkeep"), "Service")
    assert {name for name, text in services.items() if '"hal9-data-keys"' in text} == {"upkeep"}
    assert "0.0.0.0/0" in rendered(with_keys("upkeep"), "NetworkPolicy")["upkeep"]
    assert "0.0.0.0/0" not in rendered(FUNCTIONS, "NetworkPolicy")["upkeep"]
