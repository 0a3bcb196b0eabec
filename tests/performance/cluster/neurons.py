"""Neurons from 20 to 100 instances and back over the three layers, with runs in flight, on whatever nodes there are.

The deployment is of the environment `single-node`: production's scale, small requests. The load are runs of the tests'
process `patience`, whose steps wait: they hold requests and leave the processors free. All of its runs must complete.

    HAL9_CLUSTER_DEPLOYMENT   namespace of a deployment that is there already; else one is made, and deleted at the end
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg

from knative.capacity.measurements import DEFAULT, load
from knative.description import load_all
from knative.render.connections import holders
from shared.client import ApiError, Client, UnreachableError
from shared.identifiers import new_id
from shared.neurons.wire import ENDED
from tests.performance.cluster.benchmark import ClusterBenchmark
from tests.performance.cluster.kube import Pods, found, kubectl, start_lines, until, uses_after
from tests.performance.cluster.measured import measurements, quantiles
from tests.performance.cluster.stage import IMAGES, SERVICE, version
from tests.performance.peers import ROOT
from tests.performance.results import AtLeast, AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.performance.cluster.benchmark import Bench

ENVIRONMENT: Final = "single-node"
LAYERS: Final = ("neuron-l4", "neuron-l3", "neuron-l2")
SHARDS: Final = 3
_SELECTOR: Final = f"{SERVICE} in ({','.join(LAYERS)})"
_SETTINGS: Final = {"HAL9_NEURON_LEASE_SECONDS": "60", "HAL9_PUBLISH_SECONDS": "18"}
"""Steps wait for a while here: leases need not be renewed meanwhile, and the in-memory channel answers a publisher only
when what it published was worked on."""

_PARTS: Final = ("interpreter", "imports", "open", "pools")
"""Of a start, in the host's own line: what a function does itself."""

_STEP_SECONDS: Final = 10.0
_ORGANISATIONS: Final = 8
_RUNS: Final = 64
_CLERKS: Final = 2
_COUNTERS: Final = 2
_STEPS: Final = 1 + _CLERKS * (1 + _COUNTERS)
_MOST_SECONDS: Final = 240.0
_HOLD_SECONDS: Final = 20.0
_BACK_SECONDS: Final = 300.0
_MEMORY_GOAL: Final = 90.0
_INSTANCES: Final = 100
_GOAL_SECONDS: Final = 60.0
_BACK_GOAL_SECONDS: Final = 75.0
"""The stable window of 20 s, and the grace of the pods."""
_ACTIVITY: Final = """
SELECT application_name, client_addr, backend_start FROM pg_stat_activity
 WHERE usename = 'hal9_app' AND pid <> pg_backend_pid()
"""


@dataclass
class Load:
    """Runs that are kept in flight by threads, one for each run that is waited for at a time.

    Attributes:
        clients: One for each organisation.
        completed: How many runs ended well.
        faults: What became of the others.
        asked: Requests that were sent.
        again: Requests that had to be sent again, and why.
        stopping: Set when no further run is to begin.
    """

    clients: Sequence[Client]
    completed: int = 0
    faults: list[str] = field(default_factory=list)
    asked: int = 0
    again: Counter[str] = field(default_factory=Counter)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._threads = [threading.Thread(target=self._keep, args=(number,), daemon=True) for number in range(_RUNS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Start no more runs; wait until those that are in flight have ended."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(_BACK_SECONDS)

    def _keep(self, number: int) -> None:
        client = self.clients[number % len(self.clients)]
        self.stopping.wait(_STEP_SECONDS * 3 * number / _RUNS / 4)  # runs shall not all be at the same layer
        while not self.stopping.is_set():
            try:
                self._run(client)
            except Exception as error:  # noqa: BLE001 - it is counted, and the others go on
                self.faults.append(f"{type(error).__name__}: {error}"[:300])
                self.stopping.wait(1.0)

    def _run(self, client: Client) -> None:
        given = {"seconds": _STEP_SECONDS, "clerks": _CLERKS, "counters": _COUNTERS}
        key = str(new_id())
        started = self._insisted(lambda: client.runs.start("patience", given, idempotency_key=key))
        limit = time.monotonic() + _BACK_SECONDS
        while (run := self._insisted(lambda: client.runs.get(started.id))).state not in ENDED:
            if time.monotonic() > limit:
                raise TimeoutError(f"the run {run.id} hangs")
            time.sleep(3.0)
        if run.state != "completed" or run.output != {"steps": _STEPS}:
            raise RuntimeError(f"the run {run.id} is {run.state} with {run.output}")
        self.completed += 1

    def _insisted(self, ask: Any) -> Any:
        """Ask again what was not answered well, and count that: no request is to fail."""
        limit = time.monotonic() + 60
        while True:
            self.asked += 1
            try:
                return ask()
            except (ApiError, UnreachableError) as error:
                self.again[str(getattr(error, "status", type(error).__name__))] += 1
                if time.monotonic() > limit:
                    raise
                time.sleep(0.5)


@dataclass
class Watched:
    """What was seen second by second.

    Attributes:
        begun: Monotonic.
        ready: Instances of each layer together.
        wanted: Since when the autoscaler wants a hundred of them, monotonic; None while it does not.
        connections: The most that each application held on one shard.
        totals: The most that all held together on one shard.
        connected: When an address first connected to a shard, seconds since 1970.
    """

    begun: float
    ready: list[int] = field(default_factory=list)
    wanted: float | None = None
    connections: Counter[str] = field(default_factory=Counter)
    totals: int = 0
    connected: dict[tuple[str, int], float] = field(default_factory=dict)


def measure(bench: Bench) -> list[Figure]:
    """Deploy, load, watch, let go."""
    with _deployment(bench) as (namespace, clients):
        until("twenty instances", lambda: _settled(namespace, 20), 600, 2.0)
        _write_measurements(bench, namespace)
        with Pods(namespace, _SELECTOR) as pods:
            return _figures(bench, namespace, clients, pods)


def _figures(bench: Bench, namespace: str, clients: Sequence[Client], pods: Pods) -> list[Figure]:
    load = Load(clients)
    watched = Watched(time.monotonic())
    ended = threading.Event()
    watchers = [
        threading.Thread(target=_count, args=(pods, watched, ended)),
        threading.Thread(target=_wanted, args=(namespace, watched, ended)),
        threading.Thread(target=_connections, args=(namespace, watched, ended)),
    ]
    for watcher in watchers:
        watcher.start()
    begun = time.monotonic()
    load.start()
    try:
        with contextlib.suppress(TimeoutError):
            until("a hundred instances", lambda: pods.ready() >= _INSTANCES, _MOST_SECONDS, 0.5)
        out = time.monotonic() - begun
        most = pods.ready()
        bench.say(f"{most} instances after {out:.0f} s, {load.completed} runs completed, {len(load.faults)} failed")
        time.sleep(_HOLD_SECONDS)
        memory = list(_memory(namespace, LAYERS).values())
        load.finish()
        let_go = time.monotonic()
        bench.say(f"{load.completed} runs completed, {len(load.faults)} failed; again: {dict(load.again)}")
        with contextlib.suppress(TimeoutError):
            until("twenty instances", lambda: pods.there() <= 20, _BACK_SECONDS, 0.5)
        back = time.monotonic() - let_go
    finally:
        load.stopping.set()
        ended.set()
        for watcher in watchers:
            watcher.join()
    _write(bench.out / "cluster-neurons-seconds.json", watched)
    for fault in load.faults[:5]:
        bench.say(fault)
    wanted = watched.wanted or begun
    planned = {one.name: one.steady for one in _planned()}
    over = sum(max(0, count - planned.get(name, 0)) for name, count in watched.connections.items())
    bench.say(f"connections, most on one shard: {dict(watched.connections)}; planned: {planned}")
    return [
        Figure("instances at most", max(watched.ready), "", AtLeast(_INSTANCES)),
        Figure("from 20 until the autoscaler wanted so many: the load unfolds", wanted - begun, "s"),
        Figure("from then until they were ready", begun + out - wanted, "s", AtMost(_GOAL_SECONDS)),
        Figure("back to 20, after the last run", back, "s", AtMost(_BACK_GOAL_SECONDS)),
        Figure("runs completed", load.completed, ""),
        Figure("steps in them", load.completed * _STEPS, ""),
        Figure("runs failed", len(load.faults), "", AtMost(0)),
        Figure("requests of clients", load.asked, ""),
        Figure("requests that failed", sum(load.again.values()), "", AtMost(0)),
        Figure("working set of a function's container, most", max(memory) / 1e6, "MB", AtMost(_MEMORY_GOAL)),
        Figure("working set of a function's container, middle", sorted(memory)[len(memory) // 2] / 1e6, "MB"),
        Figure("working sets of all functions' containers", sum(memory) / 1e6, "MB"),
        Figure("instances whose memory was read", len(memory), ""),
        Figure("connections to one shard, most", watched.totals, "", AtMost(sum(planned.values()))),
        Figure("connections above what was planned for their deployment", over, "", AtMost(0)),
        Figure("instances that were ready before all their pools", _before_connected(pods, watched), "", AtMost(0)),
        Figure("containers that started again", sum(one.restarts for one in pods.seen.values()), "", AtMost(0)),
    ]


def _write(path: Path, watched: Watched) -> None:
    document = {"ready": watched.ready, "connections": dict(watched.connections), "most_on_a_shard": watched.totals}
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _write_measurements(bench: Bench, namespace: str) -> None:
    """Write what the capacity model is told of HAL9's own functions: how they started here, and what they take."""
    known = load(DEFAULT).model_dump(mode="json")["functions"]
    memory = _memory(namespace, tuple(known))
    for name, function in known.items():
        pods = [pod for pod in memory if pod.startswith(f"{name}-")]
        lines = [line for pod in pods if (line := start_lines(namespace, pod))]
        if lines:
            function["start_seconds"] = quantiles([sum(line[part] for part in _PARTS) for line in lines])
            function["memory_bytes"] = max(function["memory_bytes"], *(memory[pod] for pod in pods))
    document = measurements(bench, known)
    (bench.out / "cluster-measurements.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _planned() -> list[Any]:
    functions = load_all(ROOT / "functions")
    return holders(one for function in functions for one in function.deployments(ENVIRONMENT))


def _settled(namespace: str, wanted: int) -> bool:
    listed = json.loads(kubectl("-n", namespace, "get", "pods", "-l", _SELECTOR, "-o", "json"))["items"]
    conditions = [part for pod in listed for part in pod["status"].get("conditions", [])]
    ready = sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return bool(len(listed) == ready == wanted)


def _count(pods: Pods, watched: Watched, ended: threading.Event) -> None:
    while not ended.wait(1.0):
        watched.ready.append(pods.ready())


def _wanted(namespace: str, watched: Watched, ended: threading.Event) -> None:
    """Note when the load is such that the autoscaler wants a hundred."""
    while watched.wanted is None and not ended.wait(2.0):
        listed = found("-n", namespace, "get", "podautoscalers", "-l", _SELECTOR)["items"]
        if sum(max(0, one.get("status", {}).get("desiredScale", 0)) for one in listed) >= _INSTANCES:
            watched.wanted = time.monotonic()


def _connections(namespace: str, watched: Watched, ended: threading.Event) -> None:
    """Ask every shard, again and again, who is connected."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(_forwarded(namespace, shard)) for shard in range(SHARDS)]
        asyncio.run(_ask_shards(_passwords(namespace), ports, watched, ended))


async def _ask_shards(password: str, ports: Sequence[int], watched: Watched, ended: threading.Event) -> None:
    settings = {"application_name": "benchmark"}
    shards = [
        await asyncpg.connect(
            host="127.0.0.1", port=port, user="hal9_app", password=password, database="hal9", server_settings=settings
        )
        for port in ports
    ]
    while not ended.is_set():
        for shard, connection in enumerate(shards):
            rows = await connection.fetch(_ACTIVITY)
            counted = Counter(str(row["application_name"]) for row in rows)
            for name, count in counted.items():
                watched.connections[name] = max(watched.connections[name], count)
            watched.totals = max(watched.totals, counted.total())
            for row in rows:
                place, began = (str(row["client_addr"]), shard), row["backend_start"].timestamp()
                watched.connected[place] = min(began, watched.connected.get(place, began))
        await asyncio.sleep(2.0)
    for connection in shards:
        await connection.close()


def _passwords(namespace: str) -> str:
    """Give the password of the role that functions have."""
    document = found("-n", namespace, "get", "secret", "hal9-shards")
    address = base64.b64decode(document["data"]["value"]).decode().split(",")[0]
    return urlsplit(address).password or ""


@contextlib.contextmanager
def _forwarded(namespace: str, shard: int) -> Iterator[int]:
    """Give a port of this machine that leads to a shard's server."""
    command = ["kubectl", "-n", namespace, "port-forward", f"pod/hal9-postgres-{shard}-0", ":5432"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(line.partition("127.0.0.1:")[2].partition(" ")[0])
    finally:
        process.terminate()
        process.wait(10)


def _before_connected(pods: Pods, watched: Watched) -> int:
    """Count the instances that were ready before they were connected to every shard."""
    early = 0
    for one in pods.seen.values():
        began = [watched.connected.get((one.address, shard)) for shard in range(SHARDS)]
        early += bool(one.ready) and any(moment is not None and moment > one.ready for moment in began)
    return early


@contextlib.contextmanager
def _deployment(bench: Bench) -> Iterator[tuple[str, list[Client]]]:
    """Give a deployment's namespace, and a client for each of its organisations."""
    given = os.environ.get("HAL9_CLUSTER_DEPLOYMENT")
    namespace = given or f"hal9-neurons-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        run = _Command(Path(folder), namespace)
        try:
            if not given:
                kubectl("create", "namespace", namespace)
                settings = [f"--from-literal={name}={value}" for name, value in _SETTINGS.items()]
                kubectl("-n", namespace, "create", "configmap", "hal9-settings", *settings)
                bench.say("hal9 deploy")
                run(
                    *("deploy", "--region", "eu-central", "--namespace", namespace, "--environment", ENVIRONMENT),
                    *("--broker", "channel", "--images", IMAGES, "--version", version(), "--with-data"),
                    *("--storage", "emptydir", "--timeout", "900"),
                )
            bench.say(f"{_ORGANISATIONS} organisations")
            url = found("-n", namespace, "get", "ksvc", "gateway")["status"]["url"]
            yield namespace, [_client(run, namespace, url) for _ in range(_ORGANISATIONS)]
        finally:
            if not given:
                kubectl("delete", "namespace", namespace, "--wait=false", check=False)


def _client(run: _Command, namespace: str, url: str) -> Client:
    """Make an organisation, and give a client with its owner's key."""
    slug = f"bench-{secrets.token_hex(4)}"
    context = kubectl("config", "current-context").strip()
    made = json.loads(run("organisations", "create", slug, "--context", context, "--namespace", namespace, "--json"))
    return Client(url, made["key"], connect_to=os.environ.get("HAL9_CLUSTER_CONNECT_TO"), tries=1)


@dataclass(frozen=True)
class _Command:
    """The `hal9` command, with a home of its own."""

    folder: Path
    namespace: str

    def __call__(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_")}
        done = subprocess.run(
            [sys.executable, "-m", "knative.cli.main", *arguments],
            cwd=ROOT, env={**kept, "HAL9_HOME": str(self.folder)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"hal9 {arguments[0]}: {done.stderr.strip()[-800:]} {done.stdout.strip()[-800:]}")
        return done.stdout


def _memory(namespace: str, deployments: tuple[str, ...]) -> dict[str, int]:
    """Give the working set of every function's container of these deployments, by pod, in bytes."""
    taken = uses_after(
        time.time(), lambda place: place[0] == namespace and place[1].startswith(deployments) and place[2] == "function"
    )
    return {place[1]: one.memory for place, one in taken.items() if one.memory}


BENCHMARK = ClusterBenchmark("neurons", "Neurons from 20 to 100 instances and back, with runs in flight", measure)
