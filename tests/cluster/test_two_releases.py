"""The previous release and this one side by side on one schema: each deployed by its own command, half the work each.

The images of both must be there: those of this commit as elsewhere, those of the previous release with the tag that
HAL9_CLUSTER_PREVIOUS_VERSION names, made by its own tree:

    python -m tests.cluster.previous FOLDER
    cd FOLDER && python -m knative.cli.main images build --images … --version … --out …
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy.cluster import Cluster, connect
from knative.deploy.kinds import NAMESPACE, SERVICE
from shared.client import Client
from tests.cluster import previous
from tests.cluster.conftest import CONNECT_TO, IMAGES, VERSION
from tests.cluster.volumes import remove, storage_class

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from knative.render import Manifest

NAME = f"hal9-two-releases-{os.getpid()}"
PREVIOUS = os.environ.get("HAL9_CLUSTER_PREVIOUS_VERSION", "")
PROJECTS = 4
REQUEST = "A library of conversions: a function that converts kilometres to miles."
POSTPONES = "codegen"
"""Answers 503 with Retry-After to what it will do later, when it verifies as many projects as it may at a time."""

HELD = ("gateway", "codegen", "neuron-l4", "neuron-l3", "neuron-l2")

pytestmark = pytest.mark.timeout(1500)


def arguments(version: str, *more: str) -> list[str]:
    return [
        *("deploy", "--region", "eu-central", "--environment", "trial", "--broker", "channel", "--namespace", NAME),
        *("--images", IMAGES, "--version", version, "--with-data", "--timeout", "300"),
        *more,
    ]


@pytest.fixture(scope="module")
def previous_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The previous release's files."""
    assert PREVIOUS, "HAL9_CLUSTER_PREVIOUS_VERSION must name the tag of the previous release's images."
    folder = tmp_path_factory.mktemp("previous")
    assert previous.write(folder), "This test needs a clone with history (git fetch --unshallow)."
    return folder


@pytest.fixture(scope="module")
async def here(kubeconfig: str) -> AsyncIterator[Cluster]:
    async with connect(None, NAME) as found:
        yield found
        await found.delete(NAMESPACE, NAME)


@pytest.fixture(scope="module")
def storage() -> Iterator[tuple[str, ...]]:
    """Volumes: a release may start the servers anew, and they shall keep what they have."""
    image = f"{IMAGES}/migrations:{VERSION}"
    named = storage_class(NAME, image)
    yield ("--storage-class", named) if named else ()
    remove(NAME, image)


async def deployed_by(tree: Path, *given: str) -> None:
    """Run a tree's own command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knative.cli.main", *given,
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def make(credentials: dict[str, Any]) -> str:
    """Have one project made, from end to end; give the state that it ended in."""
    with Client(credentials["url"], credentials["api_key"], connect_to=CONNECT_TO or None) as client:
        project = client.projects.create(REQUEST)
        while (found := client.projects.get(project.id)).state == "running":
            time.sleep(1)
        return found.state if found.reason is None else f"{found.state}: {found.reason}"


async def until_divided(here: Cluster) -> None:
    """Wait until every service gives half to the new release."""

    def halves(service: Manifest) -> bool:
        shares = (service.get("status") or {}).get("traffic") or []
        return len({one["revisionName"] for one in shares}) == 2

    while True:
        services = [one for one in await here.listed(SERVICE) if one["metadata"]["name"] in HELD]
        if services and all(halves(one) for one in services):
            return
        await asyncio.sleep(1)


async def test_runs_pass_while_two_releases_share_them(
    here: Cluster, hal9: Callable[..., Any], previous_tree: Path, storage: tuple[str, ...], tmp_path: Path
) -> None:
    kept = tmp_path / "credentials.json"
    demo = ("--demo-organisation", "--credentials", str(kept), *(("--connect-to", CONNECT_TO) if CONNECT_TO else ()))
    await deployed_by(previous_tree, *arguments(PREVIOUS, *storage, *demo))
    credentials = json.loads(kept.read_text(encoding="utf-8"))
    assert await asyncio.to_thread(make, credentials) == "completed"

    rolling = asyncio.create_task(hal9(*arguments(VERSION, *storage, "--canary", "50", "--hold", "240s", "--json")))
    divided = asyncio.create_task(until_divided(here))
    await asyncio.wait({rolling, divided}, return_when=asyncio.FIRST_COMPLETED)
    assert divided.done(), rolling.result()
    made = await asyncio.gather(*(asyncio.to_thread(make, credentials) for _ in range(PROJECTS)))
    assert made == ["completed"] * PROJECTS

    code, output, errors = await rolling
    assert code == 0, output + errors
    trials = {one["service"]: one for one in json.loads(output)["roll_out"]["trials"]}
    failed = {name: one for name, one in trials.items() if one["old"]["failed"] or one["new"]["failed"]}
    assert failed.keys() <= {POSTPONES}, failed
    both = [name for name in HELD if trials[name]["old"]["requests"] and trials[name]["new"]["requests"]]
    assert both == list(HELD), "each release did a part of every layer's work"
    assert await asyncio.to_thread(make, credentials) == "completed"
