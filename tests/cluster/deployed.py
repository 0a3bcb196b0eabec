"""A whole HAL9 on the cluster of KUBECONFIG, for the session: `hal9 deploy` into a namespace that goes with it.

What it needs, beside KUBECONFIG and `kubectl`, comes from the environment:

    HAL9_CLUSTER_IMAGES         what comes before /<image>:<version> (dev.local/hal9)
    HAL9_CLUSTER_VERSION        the tag that `python -m tests.cluster.images` printed; the cluster has those images
    HAL9_CLUSTER_CONNECT_TO     the ingress's host:port, where no DNS has its names
    HAL9_CLUSTER_STORAGE_CLASS  of the volumes; else the cluster's default; where that is not, folders of the one node
    HAL9_CLUSTER_NODE           a command that runs another one in the node's namespaces as root, where there is one

Every failure says how the namespace's pods are.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from knative.description import load_all
from shared.client import Client
from tests.cluster import volumes
from tests.cluster.kubectl import kubectl, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = os.environ.get("HAL9_CLUSTER_IMAGES", "dev.local/hal9")
ENVIRONMENT: Final = "trial"
SERVICES: Final = tuple(
    sorted(one.name for function in load_all(ROOT / "functions") for one in function.deployments(ENVIRONMENT))
)
_SERVICE: Final = "serving.knative.dev/service"
_SECONDS: Final = 900
_LINES: Final = 12
_COLUMNS: Final = 300


class DeployedPlatform:
    """A deployment: the same face as `tests.platform_fixture.RunningPlatform`, and what only a cluster has.

    Args:
        namespace: of its own.
        folder: for its credentials.
    """

    def __init__(self, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self._file = folder / "credentials.json"
        self._storage_class = ""
        self._connect_to = os.environ.get("HAL9_CLUSTER_CONNECT_TO", "")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_")}
        self.environment = {**kept, "HAL9_HOME": str(folder), "HAL9_CREDENTIALS": str(self._file)}

    # the face that it shares with a platform on this machine

    def hal9(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the `hal9` command for it; on a cluster instances start first, so that more time is given."""
        command = [sys.executable, "-m", "knative.cli.main", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=3 * timeout, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"hal9 {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            )
        return done

    @property
    def credentials(self) -> dict[str, str]:
        """The demo organisation's: url, api_key, organisation."""
        found: dict[str, str] = json.loads(self._file.read_bytes())
        return found

    def http(self, **headers: str) -> httpx.Client:
        """Give a plain HTTP client of its gateway."""
        url = httpx.URL(self.credentials["url"])
        if self._connect_to:
            headers["host"] = url.host
            url = httpx.URL(f"{url.scheme}://{self._connect_to}")
        return httpx.Client(base_url=url, trust_env=False, headers=headers, timeout=60)

    def client(self, tries: int = 4) -> Client:
        """Give the SDK's client, with the demo organisation's key."""
        found = self.credentials
        return Client(found["url"], found["api_key"], connect_to=self._connect_to or None, tries=tries)

    def logs(self) -> str:
        """How it is: every pod's state, and the last lines of those that are not well."""
        said = [kubectl("-n", self.namespace, "get", "pods", "-o", "wide", check=False)]
        for pod in self._items("pods"):
            if "deletionTimestamp" in pod["metadata"] or pod["status"].get("phase") == "Succeeded":
                continue
            said += [
                self._last_lines(pod["metadata"]["name"], status)
                for status in pod["status"].get("containerStatuses", [])
                if not status["ready"] or status["restartCount"]
            ]
        return "\n".join(said)

    def _last_lines(self, pod: str, status: dict[str, Any]) -> str:
        container = status["name"]
        tail = kubectl("-n", self.namespace, "logs", pod, "-c", container, f"--tail={_LINES}", check=False)
        shown = "\n".join(f"    {line[:_COLUMNS]}" for line in tail.splitlines())
        return f"{pod} {container}: {json.dumps(status['state'])}, {status['restartCount']} restarts\n{shown}"

    # what only a cluster has

    def up(self) -> None:
        """Make the namespace and its volumes, and deploy."""
        kubectl("create", "namespace", self.namespace)
        self._storage_class = volumes.storage_class(self.namespace, f"{IMAGES}/migrations:{self.version}")
        self.deploy()

    @property
    def version(self) -> str:
        """The images' tag."""
        version = os.environ.get("HAL9_CLUSTER_VERSION")
        assert version, (
            "set HAL9_CLUSTER_VERSION to the tag of the images, as `python -m tests.cluster.images` gives it"
        )
        return version

    def deploy(self, *more: str) -> str:
        """Run `hal9 deploy`; give what it said."""
        storage = ("--storage-class", self._storage_class) if self._storage_class else ()
        connect = ("--connect-to", self._connect_to) if self._connect_to else ()
        arguments = (
            *("deploy", "--region", "eu-central", "--environment", ENVIRONMENT, "--broker", "channel"),
            *("--namespace", self.namespace, "--images", IMAGES, "--version", self.version, "--with-data", *storage),
            *("--demo-organisation", "--credentials", str(self._file), *connect, "--timeout", str(_SECONDS), *more),
        )
        return self.hal9(*arguments, timeout=_SECONDS).stdout

    def down(self) -> None:
        """Take all of it away, without drains.

        Nobody waits for the namespace itself, which its controller looks at again only after half of the grace that its
        pods had: minutes after they are gone.
        """
        kubectl("delete", "namespace", self.namespace, "--wait=false", check=False)
        kubectl("-n", self.namespace, "delete", "pods", "--all", "--grace-period=1", "--timeout=180s", check=False)
        volumes.remove(self.namespace, f"{IMAGES}/migrations:{self.version}")

    def instances(self, *services: str) -> list[dict[str, Any]]:
        """Give the pods of Knative Services that are not ending; of all of them when none is named."""
        wanted = services or SERVICES
        return [
            pod
            for pod in self._items("pods", "-l", f"{_SERVICE} in ({','.join(wanted)})")
            if "deletionTimestamp" not in pod["metadata"]
        ]

    def ready(self, *services: str) -> list[str]:
        """Name those instances that take requests."""
        return [
            pod["metadata"]["name"]
            for pod in self.instances(*services)
            if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
        ]

    def delete_pods(self, *names: str, namespace: str = "") -> None:
        """Delete pods, as a node's drain does; nobody waits for their end. Of a service at zero there are none."""
        if names:
            kubectl("-n", namespace or self.namespace, "delete", "pod", *names, "--wait=false", "--ignore-not-found")

    def kill(self, pod: str, container: str = "function") -> None:
        """kill -9 of a container's process, by the node: from inside, the kernel lets nobody kill process 1."""
        before = self._container(pod, container)
        of_container = before["containerID"].partition("://")[2]
        script = f"kill -9 $(grep -l {of_container} /proc/[0-9]*/cgroup | head -1 | cut -d/ -f3)"
        done = subprocess.run([*node(), "sh", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{self.logs()}"
        self.until(
            f"the end of {pod}'s {container}", lambda: self._container(pod, container).get("state") != before["state"]
        )

    def _container(self, pod: str, container: str) -> dict[str, Any]:
        """Give a container's status; empty when its pod is gone."""
        for one in self._items("pods", "--field-selector", f"metadata.name={pod}"):
            found: dict[str, Any] = next(
                status for status in one["status"]["containerStatuses"] if status["name"] == container
            )
            return found
        return {}

    def until(self, what: str, condition: Callable[[], Any], seconds: float = 300.0, pause: float = 0.3) -> Any:
        """Wait until something holds, asking with pauses; give it. A failure says what did not come, and how pods are.

        Who asks for long, or many at a time, asks seldom: on a small node the cluster's API and kubectl need the same
        processors as what they wait for.
        """
        limit = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < limit, f"{what}: not within {seconds:.0f} s\n{self.logs()}"
            time.sleep(pause)
        return found

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Add to a failure how the pods are."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

    def _items(self, *arguments: str) -> list[dict[str, Any]]:
        return listed("-n", self.namespace, *arguments)


def node() -> list[str]:
    """Give the command that runs another one in the node's namespaces."""
    command = os.environ.get("HAL9_CLUSTER_NODE")
    if not command:
        pytest.skip("HAL9_CLUSTER_NODE names no command that runs others on the node")
    return shlex.split(command)


@pytest.fixture(scope="session")
def deployed() -> Iterator[DeployedPlatform]:
    """The session's deployment."""
    assert os.environ.get("KUBECONFIG"), "set KUBECONFIG to the cluster that the tests may use"
    with tempfile.TemporaryDirectory(prefix="hal9-cluster-") as folder:
        made = DeployedPlatform(f"hal9-suite-{secrets.token_hex(3)}", Path(folder))
        try:
            made.up()
            yield made
        finally:
            made.down()
