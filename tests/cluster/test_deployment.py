"""`hal9 deploy` on a cluster, from nothing to a project made, and what may go wrong in between.

The images must be there: HAL9_CLUSTER_IMAGES (before `/<function>`) and HAL9_CLUSTER_VERSION name them;
HAL9_CLUSTER_CONNECT_TO is the ingress's host:port where no DNS has its names.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from knative.cli.progress import Silent
from knative.cli.targets import functions
from knative.deploy.cluster import Cluster, connect
from knative.deploy.deployment import deploy, prepare
from knative.deploy.kinds import (
    BROKER,
    CONFIG_MAP,
    JOB,
    NAMESPACE,
    NETWORK_POLICY,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    TRIGGER,
)
from knative.images.versions import versions
from knative.render import Data, Target
from shared.client import Client
from tests.cluster.conftest import CONNECT_TO, IMAGES, ROOT, VERSION, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NAME = f"hal9-deployment-{os.getpid()}"
SECONDS = "240"
VERSIONS = versions(ROOT)
TARGET = Target(
    "eu-central",
    environment="trial",
    namespace=NAME,
    images=IMAGES,
    version=VERSION,
    broker="channel",
    data=Data(postgres=VERSIONS["postgres"], valkey=VERSIONS["valkey"], storage="emptydir"),
)

pytestmark = pytest.mark.timeout(900)


def arguments(*more: str, version: str = VERSION, data: bool = True) -> list[str]:
    return [
        *("deploy", "--region", "eu-central", "--environment", "trial", "--broker", "channel", "--namespace", NAME),
        *("--images", IMAGES, "--version", version, "--timeout", SECONDS),
        *(("--with-data", "--storage", "emptydir") if data else ()),
        *more,
    ]


@pytest.fixture(scope="module")
async def here(kubeconfig: str) -> AsyncIterator[Cluster]:
    async with connect(None, NAME) as found:
        yield found
        await found.delete(NAMESPACE, NAME)


async def revisions(here: Cluster) -> dict[str, str]:
    return {one["metadata"]["name"]: one["status"]["latestReadyRevisionName"] for one in await here.listed(SERVICE)}


async def test_failing_migrations_stop_it_before_anything_else(here: Cluster, hal9: Callable[..., Any]) -> None:
    nowhere = "postgresql://hal9_owner:not-to-be-shown@127.0.0.1:1/hal9"
    given = {"HAL9_SHARDS": nowhere, "HAL9_SHARDS_ADMIN": nowhere, "HAL9_CACHE_URL": "redis://127.0.0.1:1"}
    code, output, errors = await hal9(*arguments(data=False), **given)
    assert code == 1, output
    assert "The migrations did not succeed: nothing after them was applied." in errors
    assert "exit code 1" in errors
    assert "    | " in errors  # the log's last lines
    assert "not-to-be-shown" not in output + errors
    assert await here.listed(SERVICE) == await here.listed(BROKER) == []
    assert {one["metadata"]["name"] for one in await here.listed(SECRET)} >= {"hal9-shards", "hal9-identity-neuron"}


async def test_it_becomes_ready(here: Cluster, hal9: Callable[..., Any]) -> None:
    code, output, errors = await hal9(*arguments())
    assert (code, "HAL9 is ready" in output) == (0, True), errors
    assert "ready  Service gateway" in errors
    assert {"gateway", "codegen", "neuron-l4", "neuron-l3", "neuron-l2", "upkeep"} == set(await revisions(here))


async def test_the_second_time_nothing_changes(here: Cluster, hal9: Callable[..., Any]) -> None:
    before = await revisions(here)
    made = document(await hal9(*arguments("--json")))
    assert {change["action"] for change in made["changes"]} == {"unchanged"}
    assert (made["unready"], made["pruned"]) == ([], [])
    shown = await hal9(*arguments("--plan"))
    assert (shown[0], shown[1]) == (0, "Nothing would change.\n")
    assert await revisions(here) == before


async def test_a_plan_shows_what_would_change_and_changes_nothing(here: Cluster, hal9: Callable[..., Any]) -> None:
    before = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in await here.listed(TRIGGER)}
    found = document(await hal9(*arguments("--plan", "--json", version="another")))
    changes = {
        (change["kind"], change["name"]): change for change in found["changes"] if change["action"] != "unchanged"
    }
    gateway = changes["Service.serving.knative.dev", "gateway"]
    fields = {field["path"]: (field["before"], field["after"]) for field in gateway["fields"]}
    names = fields.pop("spec.template.metadata.name")
    assert names[0] != names[1], "another template is another revision"
    image = (f"{IMAGES}/gateway:{VERSION}", f"{IMAGES}/gateway:another")
    assert fields == {"spec.template.spec.containers[0].image": image}
    assert {change["action"] for (kind, _), change in changes.items() if kind == "Job"} == {"create", "delete"}
    after = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in await here.listed(TRIGGER)}
    assert after == before


async def test_a_project_is_made_through_the_clusters_ingress(hal9: Callable[..., Any], tmp_path: Path) -> None:
    credentials = tmp_path / "cluster.json"
    ingress = ("--connect-to", CONNECT_TO) if CONNECT_TO else ()
    code, _, errors = await hal9(*arguments("--demo-organisation", "--credentials", str(credentials), *ingress))
    assert code == 0, errors
    assert credentials.stat().st_mode & 0o777 == 0o600
    out = tmp_path / "project"
    request = ("codegen", "A library that tells leap years.", "--lang", "python", "--out", str(out))
    code, output, errors = await hal9(*request, HAL9_CREDENTIALS=str(credentials))
    assert code == 0, output + errors
    assert "Verified" in output + errors
    assert (out / "pyproject.toml").exists()
    again = await hal9(*arguments("--demo-organisation", "--credentials", str(credentials), *ingress))
    assert again[0] == 0, again
    elsewhere = str(tmp_path / "elsewhere.json")
    code, _, errors = await hal9(*arguments("--demo-organisation", "--credentials", elsewhere, *ingress))
    assert (code, "--credentials" in errors) == (1, True)


async def test_an_organisation_gets_its_owners_key_once(here: Cluster, hal9: Callable[..., Any]) -> None:
    context = here.context
    create = ("organisations", "create", "acme", "--context", context, "--namespace", NAME)
    code, key, errors = await hal9(*create)
    assert code == 0, errors
    (gateway,) = [one for one in await here.listed(SERVICE) if one["metadata"]["name"] == "gateway"]

    def keys() -> list[str]:
        with Client(gateway["status"]["url"], key.strip(), connect_to=CONNECT_TO or None) as client:
            return [one.name for one in client.keys.list()]

    assert await asyncio.to_thread(keys) == ["acme"]
    code, output, errors = await hal9(*create)
    assert (code, output, "a key of its owner works" in errors) == (1, "", True)
    text = json.dumps([await here.listed(JOB), await here.listed(SECRET), await here.listed(CONFIG_MAP)])
    assert key.strip().rpartition("_")[2] not in text


async def test_the_status_tells_services_revisions_and_triggers(here: Cluster, hal9: Callable[..., Any]) -> None:
    found = await hal9("status", "--context", here.context, "--namespace", NAME, "--json")
    about = document(found)
    assert (found[0], about["ready"]) == (0, True), about
    parts = {(part["kind"], part["name"]): part for part in about["parts"]}
    (revision,) = [one for one in parts["Service", "gateway"]["revisions"] if one["percent"] == 100]
    assert revision["image"] == f"{IMAGES}/gateway:{VERSION}"
    assert parts["Trigger", "neuron-l4-run-requested"]["state"] == "ready"
    assert about["release"]["version"] == VERSION
    code, output, _ = await hal9("status", "--context", here.context, "--namespace", NAME)
    assert (code, "neuron-l2" in output, "dead letters" in output) == (0, True, True)


async def test_a_probe_goes_all_the_way_and_says_where_it_ended_when_it_does_not(
    here: Cluster, hal9: Callable[..., Any]
) -> None:
    asked = ("status", "--context", here.context, "--namespace", NAME, "--probe", "--json")
    found = await hal9(*asked)
    sent = document(found)["probe"]
    assert (found[0], sent["faults"]) == (0, []), sent
    assert set(sent["report"]["seconds"]) >= {"received", "answered"}
    trigger = await here.get(TRIGGER, "upkeep-probe-requested")
    assert trigger is not None
    trigger["spec"]["subscriber"]["audience"] = "hal9/nobody"  # upkeep refuses the token
    await here.replace(TRIGGER, trigger)
    found = await hal9(*asked)
    (fault,) = document(found)["probe"]["faults"]
    assert found[0] == 1
    assert "could not deliver it: ai.hal9.upkeep.probe.requested" in fault["what"]
    assert ": 401" in fault["what"]
    again = await hal9(*arguments())
    assert again[0] == 0, again
    assert "Events are delivered" in again[1]
    assert not [one for one in await here.listed(JOB) if "probe" in one["metadata"]["name"]]


async def test_what_is_rendered_no_longer_goes_and_what_others_made_stays(here: Cluster) -> None:
    label = {"app.kubernetes.io/part-of": "hal9", "app.kubernetes.io/managed-by": "hal9"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "labels": label}}
    await here.create(CONFIG_MAP, theirs)
    described = functions("trial")
    codegen = next(one for one in described if one.name == "codegen")
    without = msgspec.structs.replace(codegen, subscriptions=codegen.subscriptions[:-1])
    fewer = tuple(without if one is codegen else one for one in described)
    prepared = await prepare(here, fewer, TARGET, {})
    assert [one.name for one in prepared.changes if one.action == "delete"] == ["codegen-run-ended"]
    outcome = await deploy(here, prepared, seconds=float(SECONDS), progress=Silent())
    assert [(one.kind, one.name) for one in outcome.pruned] == [("Trigger", "codegen-run-ended")]
    assert "codegen-run-ended" not in {one["metadata"]["name"] for one in await here.listed(TRIGGER)}
    assert await here.get(CONFIG_MAP, "theirs") is not None
    again = await deploy(here, await prepare(here, described, TARGET, {}), seconds=float(SECONDS), progress=Silent())
    assert again.unready == ()


async def test_another_secret_makes_other_revisions_of_those_that_read_it(here: Cluster) -> None:
    before = await revisions(here)
    prepared = await prepare(here, functions("trial"), TARGET, {"HAL9_MODEL_OPENAI_KEY": "not-to-be-shown"})
    assert "not-to-be-shown" not in repr(prepared)
    outcome = await deploy(here, prepared, seconds=float(SECONDS), progress=Silent())
    assert outcome.unready == ()
    after = await revisions(here)
    changed = {name for name, revision in after.items() if revision != before[name]}
    assert changed == {"neuron-l4", "neuron-l3", "neuron-l2"}


async def test_an_image_that_cannot_be_had_is_said_and_the_old_revisions_serve_on(
    here: Cluster, hal9: Callable[..., Any]
) -> None:
    before = await revisions(here)
    described = functions("trial")
    broken = replace(TARGET, images=f"{IMAGES}-nosuch")
    kept = await prepare(here, described, broken, {})
    databases = [one for one in kept.changes if one.kind == "StatefulSet"]
    assert {one.action for one in databases} == {"unchanged"}  # a release alone restarts none
    assert {one.rendered.partition(":")[0] for one in kept.kept} == {
        f"{IMAGES}-nosuch/{name}" for name in ("postgres", "valkey")
    }
    prepared = await prepare(here, described, broken, {}, erase_data=True)
    assert {"hal9-postgres-0", "hal9-postgres-1", "hal9-postgres-2"} == set(prepared.erased)
    outcome = await deploy(here, prepared, seconds=float(SECONDS), progress=Silent())
    assert outcome.stage == "data"  # the servers come first, the one without data before the others
    reasons = [reason.text for one in outcome.unready for reason in one.pods]
    assert any("-nosuch/valkey" in reason for reason in reasons), outcome
    assert await revisions(here) == before
    servers = {one["metadata"]["name"]: one for one in await here.listed(STATEFUL_SET)}
    assert {one["status"]["readyReplicas"] for one in servers.values()} == {1}  # it has its old image back
    assert not any("-nosuch" in json.dumps(one["spec"]) for one in servers.values())
    code, output, errors = await hal9(*arguments())
    assert (code, "HAL9 is ready" in output) == (0, True), errors


async def test_stopped_it_leaves_what_was_applied_and_the_next_goes_on(here: Cluster) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knative.cli.main", *arguments("--images", f"{IMAGES}-nosuch"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(300):
        if await parent_images(here) == f"{IMAGES}-nosuch":
            break
        await asyncio.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert b"the same command goes on from there" in errors


async def parent_images(here: Cluster) -> str:
    found = await here.get(CONFIG_MAP, "hal9")
    return str((found or {}).get("data", {}).get("images"))


async def test_a_removal_keeps_data_unless_it_is_named(here: Cluster, hal9: Callable[..., Any]) -> None:
    kept = {one["metadata"]["name"] for one in await here.listed(SECRET)}
    code, output, errors = await hal9("undeploy", "--namespace", NAME, "--yes")
    assert code == 0, output + errors
    for kind in (SERVICE, BROKER, TRIGGER, JOB, NETWORK_POLICY):
        assert await here.listed(kind) == [], kind
    assert {one["metadata"]["name"] for one in await here.listed(SECRET)} == kept
    assert await here.get(NAMESPACE, NAME) is not None
    assert await here.get(CONFIG_MAP, "theirs") is not None
    code, output, errors = await hal9("undeploy", "--namespace", NAME, "--yes", "--with-data")
    assert code == 0, output + errors
    assert await here.listed(SECRET) == []
    assert (await hal9("undeploy", "--namespace", NAME))[1] == f"Nothing of HAL9 is in {NAME}.\n"
