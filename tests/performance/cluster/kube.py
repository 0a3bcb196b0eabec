"""The cluster of KUBECONFIG as benchmarks need it: `kubectl`, what pods become and when, what containers use."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

_NANOSECONDS: Final = 1e9


class ClusterRefusedError(RuntimeError):
    """A command for the cluster failed; the text is what it said."""


def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> str:
    """Run it; give what it printed."""
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise ClusterRefusedError(f"kubectl {' '.join(arguments[:6])}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def found(*arguments: str) -> dict[str, Any]:
    """Read an object, or a list of them."""
    document: dict[str, Any] = json.loads(kubectl(*arguments, "-o", "json"))
    return document


def apply(manifests: Sequence[dict[str, Any]]) -> None:
    """Apply manifests."""
    document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    kubectl("apply", "-f", "-", stdin=json.dumps(document))


def until(what: str, condition: Callable[[], Any], seconds: float = 180.0, pause: float = 0.25) -> Any:
    """Wait until something holds; give it.

    Raises:
        TimeoutError: It did not come.
    """
    limit = time.monotonic() + seconds
    while not (held := condition()):
        if time.monotonic() > limit:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
    return held


@dataclass
class Seen:
    """One pod, and when (seconds since 1970, this machine's clock) it was seen to be what."""

    name: str
    made: float
    scheduled: float = 0.0
    ready: float = 0.0
    gone: float = 0.0
    restarts: int = 0
    address: str = ""


@dataclass
class Pods:
    """Watches the pods of a namespace, in the background, for as long as the `with` block lasts.

    Attributes:
        namespace: Which.
        selector: Which of its pods.
        seen: By name.
    """

    namespace: str
    selector: str
    seen: dict[str, Seen] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Begin; returns when what is there now has been seen."""
        command = ["kubectl", "-n", self.namespace, "get", "pods", "-l", self.selector, "-o", "json"]
        self._process = subprocess.Popen(
            [*command, "--watch", "--output-watch-events"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        expected = {one["metadata"]["name"] for one in json.loads(kubectl(*command[1:]))["items"]}
        until("the watch of pods", lambda: expected <= set(self.seen), 60, 0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for event in _documents(self._process.stdout):
            self._note(event["type"], event["object"], time.time())

    def _note(self, kind: str, pod: dict[str, Any], now: float) -> None:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        one = self.seen.setdefault(name, Seen(name, now))
        conditions = {part["type"]: part["status"] == "True" for part in status.get("conditions", [])}
        if pod["spec"].get("nodeName") and not one.scheduled:
            one.scheduled = now
        if conditions.get("Ready") and not one.ready:
            one.ready = now
        one.address = status.get("podIP", one.address)
        one.restarts = sum(part.get("restartCount", 0) for part in status.get("containerStatuses", []))
        leaving = "deletionTimestamp" in pod["metadata"] or kind == "DELETED"
        if leaving and not one.gone:
            one.gone = now

    def ready(self) -> int:
        """How many take requests now."""
        return sum(bool(one.ready) and not one.gone for one in list(self.seen.values()))

    def there(self) -> int:
        """How many are there now, ready or not."""
        return sum(not one.gone for one in list(self.seen.values()))


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read JSON documents that follow one another, each on one line or ending with a line that is just a brace."""
    gathered = ""
    for line in lines:
        gathered += line
        if (line.startswith("{") and line.rstrip().endswith("}")) or line.startswith("}"):
            yield json.loads(gathered)
            gathered = ""


@dataclass(frozen=True, slots=True)
class Use:
    """What a container has used.

    Attributes:
        processor: Seconds since it started.
        memory: The working set in bytes, now.
        read: When the kubelet read it, as it says it.
    """

    processor: float
    memory: int
    read: str


def uses() -> dict[tuple[str, str, str], Use]:
    """Ask every node's kubelet what containers use: by namespace, pod and container."""
    taken = {}
    for node in found("get", "nodes")["items"]:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(kubectl("get", "--raw", path))["pods"]:
            place = pod["podRef"]["namespace"], pod["podRef"]["name"]
            for one in pod.get("containers", []):
                cpu, memory = one.get("cpu", {}), one.get("memory", {})
                taken[(*place, one["name"])] = Use(
                    cpu.get("usageCoreNanoSeconds", 0) / _NANOSECONDS,
                    memory.get("workingSetBytes", 0),
                    cpu.get("time", ""),
                )
    return taken


def uses_after(moment: float, wanted: Callable[[tuple[str, str, str]], bool]) -> dict[tuple[str, str, str], Use]:
    """Wait until the kubelets have read the wanted containers after a moment (seconds since 1970)."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment + 1))

    def fresh() -> dict[tuple[str, str, str], Use]:
        chosen = {place: one for place, one in uses().items() if wanted(place)}
        return chosen if chosen and all(one.read >= stamp for one in chosen.values()) else {}

    read: dict[tuple[str, str, str], Use] = until("the kubelet's readings", fresh, 90, 1.0)
    return read


def start_lines(namespace: str, pod: str) -> dict[str, Any] | None:
    """Give the line in which the host said how its start went, None before it did."""
    for line in kubectl("-n", namespace, "logs", pod, "-c", "function", check=False).splitlines():
        if '"ready"' in line:
            document: dict[str, Any] = json.loads(line)
            if document.get("message") == "ready":
                return document
    return None
