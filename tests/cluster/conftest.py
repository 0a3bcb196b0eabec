"""A real cluster, that of KUBECONFIG: `make test-cluster` runs these, `make test` does not collect them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy.cluster import Cluster, connect
from knative.deploy.kinds import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
IMAGES = os.environ.get("HAL9_CLUSTER_IMAGES", "dev.local/hal9")
"""What comes before `/<function>:<version>` in the names of images that the cluster has."""

VERSION = os.environ.get("HAL9_CLUSTER_VERSION", "0.1.0")
"""Their tag."""

CONNECT_TO = os.environ.get("HAL9_CLUSTER_CONNECT_TO", "")
"""host:port of the cluster's ingress, where no DNS has its names."""

Run = tuple[int, str, str]
"""Exit code, standard output, standard error."""


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file; without one these tests have nothing to run against, which is a fault and no reason to skip."""
    tmp_path_factory.getbasetemp()  # made before a connection to the cluster moves tempfile's folder for its keys
    assert os.environ.get("KUBECONFIG"), "set KUBECONFIG to the cluster that the tests may use"
    return os.environ["KUBECONFIG"]


@pytest.fixture
async def cluster(kubeconfig: str) -> AsyncIterator[Cluster]:
    """A namespace of its own, deleted afterwards."""
    name = f"hal9-test-{uuid.uuid4().hex[:8]}"
    async with connect(None, name) as found:
        await found.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield found
        await found.delete(NAMESPACE, name)


@pytest.fixture
def hal9(kubeconfig: str, tmp_path: Path) -> Callable[..., Any]:
    """Run the command, with KUBECONFIG or another one, and further variables."""

    async def run(*arguments: str, kubeconfig: str = kubeconfig, **variables: str) -> Run:
        environment = {**os.environ, "KUBECONFIG": kubeconfig, "HAL9_HOME": str(tmp_path), **variables}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "knative.cli.main",
            *arguments,
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    return run


def document(run: Run) -> dict[str, Any]:
    """The JSON that a command printed."""
    found: dict[str, Any] = json.loads(run[1])
    return found
