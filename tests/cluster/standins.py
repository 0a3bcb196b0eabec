"""Small functions that behave as a test says, and requests at a steady rate: what a roll-out is tried with.

They run in an image that has nothing but Python, named by HAL9_CLUSTER_PYTHON (its entry point is the interpreter).
HAL9_CLUSTER_CONNECT_TO is the ingress's host:port where no DNS has the names of services.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from knative.deploy.kinds import SERVICE
from knative.deploy.traffic import named
from tests.cluster.conftest import CONNECT_TO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.deploy.cluster import Cluster
    from knative.render import Manifest

IMAGE = os.environ.get("HAL9_CLUSTER_PYTHON", "dev.local/python:3.11")

NAME = "stand-in"
LEDGER_NAME = "ledger"

PROGRAM = """
import http.server, os, random, signal, threading, time, urllib.request
fail, slow, life = (float(os.environ[name]) for name in ("FAIL", "SLOW", "LIFE"))
if os.environ["START"] == "never":
    time.sleep(3600)
if life:
    threading.Timer(life, os._exit, [3]).start()

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        healthy = self.path.startswith("/healthz")
        if not healthy:
            time.sleep(slow)
        status = 500 if not healthy and random.random() < fail else 200
        text = os.environ["VERSION"].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(slow)
        try:
            note = urllib.request.Request(os.environ["LEDGER"] + "/" + self.headers["ce-id"], method="PUT")
            status = urllib.request.urlopen(note, timeout=20).status
        except OSError:
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", 8080), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""


LEDGER = """
import http.server, json, signal, threading
deliveries = []

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, json.dumps(deliveries).encode())

    def do_PUT(self):
        deliveries.append(self.path[1:])
        self.answer(202, b"")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", 8080), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
"""Keeps the ids of events that were delivered, in memory: it is never rolled out itself."""

PUBLISHER = """
import os, time, urllib.request
due = time.monotonic()
for number in range(int(os.environ["EVENTS"])):
    due += 1 / float(os.environ["PER_SECOND"])
    time.sleep(max(0, due - time.monotonic()))
    while True:
        headers = {"ce-specversion": "1.0", "ce-type": "test.noted", "ce-source": "/test", "ce-id": f"event-{number}",
                   "Content-Type": "application/json"}
        if os.path.exists("/token/token"):
            headers["Authorization"] = "Bearer " + open("/token/token").read()
        try:
            request = urllib.request.Request(os.environ["BROKER"], b"{}", headers)
            if urllib.request.urlopen(request, timeout=60).status == 202:
                break
        except OSError as error:
            print(number, error, flush=True)
        time.sleep(0.5)
"""
"""Sends events at a steady rate, each until the Broker has taken it."""

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Behaviour:
    """How a version behaves.

    Attributes:
        version: what it answers.
        fail: share of requests that it answers with 500.
        slow: seconds that an answer takes.
        life: seconds after which it dies; 0 for never.
        start: `never`, or anything else.
    """

    version: str
    fail: float = 0.0
    slow: float = 0.0
    life: float = 0.0
    start: str = "soon"


def service(cluster: Cluster, behaviour: Behaviour) -> Manifest:
    """Give a Knative Service that behaves so, as a deployment names it."""
    environment = {
        "LEDGER": f"http://{LEDGER_NAME}.{cluster.namespace}.svc.cluster.local",
        "VERSION": behaviour.version,
        "FAIL": str(behaviour.fail),
        "SLOW": str(behaviour.slow),
        "LIFE": str(behaviour.life),
        "START": behaviour.start,
    }
    return named(_service(cluster, NAME, PROGRAM, environment))


def ledger(cluster: Cluster) -> Manifest:
    """Give the Knative Service that keeps what was delivered."""
    return _service(cluster, LEDGER_NAME, LEDGER, {}, most=1)


def publisher(cluster: Cluster, broker: Manifest, events: int, per_second: float) -> Manifest:
    """Give a pod that sends events to a Broker and ends; with a token, where the Broker has an audience."""
    address = broker["status"]["address"]
    environment = {"BROKER": address["url"], "EVENTS": str(events), "PER_SECOND": str(per_second)}
    source = {"serviceAccountToken": {"path": "token", "audience": address.get("audience", "nobody")}}
    container = _container(PUBLISHER, environment)
    del container["readinessProbe"], container["ports"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "publisher", "namespace": cluster.namespace},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{**container, "volumeMounts": [{"name": "token", "mountPath": "/token"}]}],
            "volumes": [{"name": "token", "projected": {"sources": [source]}}],
        },
    }


def _container(program: str, environment: dict[str, str]) -> Manifest:
    return {
        "name": "function",
        "image": IMAGE,
        "args": ["-u", "-c", program],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 0}},
        "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}},
        "securityContext": _SECURITY,
    }


def _service(cluster: Cluster, name: str, program: str, environment: dict[str, str], most: int = 3) -> Manifest:
    scale = {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/max-scale": str(most)}
    container = _container(program, environment)
    return {
        "apiVersion": SERVICE.version,
        "kind": SERVICE.name,
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": {
            "template": {
                "metadata": {"annotations": scale},
                "spec": {"containerConcurrency": 16, "timeoutSeconds": 30, "containers": [container]},
            }
        },
    }


@dataclass
class Answers:
    """What came back.

    Attributes:
        statuses: how many, by status; 0 for no answer.
        versions: how many of the 200, by what they said.
        lost: how often the ingress itself knew no way, and was asked again: the small one of the test cluster drops a
            way before it has read the routes that do without it. No function was reached then.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    lost: int = 0


async def _host(cluster: Cluster, name: str) -> str:
    live = await cluster.get(SERVICE, name)
    assert live is not None
    host: str = live["status"]["url"].removeprefix("http://")
    return host


async def delivered(cluster: Cluster) -> Counter[str]:
    """Ask the ledger how often each event was delivered."""
    host = await _host(cluster, LEDGER_NAME)
    async with httpx.AsyncClient(timeout=40) as client:
        answer = await client.get(f"http://{CONNECT_TO or host}/", headers={"Host": host})
    return Counter(answer.raise_for_status().json())


def lost_by_ingress(answer: httpx.Response) -> bool:
    """Whether Envoy knew no way for a request, so that nothing behind it was reached."""
    behind = "x-envoy-upstream-service-time" in answer.headers
    return answer.status_code == 503 and answer.headers.get("server") == "envoy" and not behind and not answer.content


@asynccontextmanager
async def load(cluster: Cluster, per_second: float) -> AsyncIterator[Answers]:
    """Send requests at a steady rate while the block runs; all of them are answered when it ends.

    Args:
        cluster: whose ingress they are sent to.
        per_second: how many.
    """
    host = await _host(cluster, NAME)
    answers, sent = Answers(), set[asyncio.Task[None]]()

    async def ask(client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get(f"http://{CONNECT_TO or host}/", headers={"Host": host})
            if lost_by_ingress(answer):
                answers.lost += 1
                answer = await client.get(f"http://{CONNECT_TO or host}/", headers={"Host": host})
        except httpx.TransportError:
            answers.statuses[0] += 1
            return
        answers.statuses[answer.status_code] += 1
        if answer.status_code == httpx.codes.OK:
            answers.versions[answer.text] += 1

    async def send(client: httpx.AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            sent.add(task := asyncio.create_task(ask(client)))
            task.add_done_callback(sent.discard)
            due += 1 / per_second
            await asyncio.sleep(due - loop.time())

    async with httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=64)) as client:
        sending = asyncio.create_task(send(client))
        try:
            yield answers
        finally:
            sending.cancel()
            await asyncio.gather(*sent)
