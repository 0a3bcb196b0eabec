"""The broker and the activator of a running platform, from outside: delivery, proof, dead letters, kills, hostility."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from knative.platform.processes import started
from shared.keys import PrivateKey
from shared.tokens import Issuer
from tests.platform_fixture import RunningPlatform, until

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def small(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    made = platforms()
    made.up()
    return made


def publish(platform: RunningPlatform, id_: str, **wish: Any) -> httpx.Response:
    """Publish an event through the small gateway, which has a token for the broker."""
    headers = {"ce-specversion": "1.0", "ce-id": id_, "ce-source": "/test", "ce-type": "test.work"}
    return httpx.post(
        f"{platform.url}/publish", headers={**headers, "content-type": "application/json"}, json=wish, timeout=30
    )


def seen(platform: RunningPlatform, id_: str) -> list[dict[str, Any]]:
    return [line for line in platform.journal() if line["id"] == id_]


def queued(platform: RunningPlatform) -> int:
    return int(platform.status()["broker"].get("queued", -1))


def socket_client(path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://hal9", timeout=30)


def token(platform: RunningPlatform, key: str, audience: str) -> str:
    return Issuer(PrivateKey.load(platform.home / "keys" / f"{key}.json")).mint(audience)


# delivery


def test_an_event_is_delivered_and_its_reply_too(small: RunningPlatform) -> None:
    assert publish(small, "first", reply=True).status_code == 202
    until(lambda: seen(small, "first-done"))
    assert [line["type"] for line in small.journal() if line["id"].startswith("first")] == ["test.work", "test.done"]


def test_an_answer_that_is_no_event_is_a_failure(small: RunningPlatform) -> None:
    publish(small, "nonsense", nonsense=True)
    until(lambda: len(seen(small, "nonsense")) >= 2)  # retried


def test_a_refused_event_becomes_a_dead_letter_at_the_sink(small: RunningPlatform) -> None:
    (small.home / "refuse").touch()
    publish(small, "bad", status=422)
    until(lambda: small.status()["broker"]["dead_letters_not_taken"] == 1)
    (small.home / "refuse").unlink()
    (letter,) = until(lambda: [line for line in small.journal("dead") if line["id"] == "bad"], seconds=60)
    assert (letter["knativeerrorcode"], letter["knativeerrordata"]) == (422, "no") or letter[
        "knativeerrorcode"
    ] == "422"
    assert letter["knativeerrordest"] == "http://worker/events"
    assert len(seen(small, "bad")) == 1
    until(lambda: small.status()["broker"]["dead_letters_not_taken"] == 0)


def test_the_clock_sends_its_events(small: RunningPlatform) -> None:
    until(lambda: [line for line in small.journal() if line["type"] == "test.tick"])


# proof


def test_functions_take_events_from_the_broker_only(small: RunningPlatform) -> None:
    event = {"ce-specversion": "1.0", "ce-id": "forged", "ce-source": "/evil", "ce-type": "test.work"}
    for path, route in (("worker", "/events"), ("upkeep", "/dead-letters")):
        with socket_client(small.run / f"{path}.sock") as client:
            assert client.post(route, headers=event).status_code == 401
            for proof in (
                "nonsense",
                token(small, "broker", "someone-else"),
                token(small, "gateway", path),
                token(small, "worker", path),
                token(small, "platform", path),
            ):
                answer = client.post(route, headers={**event, "authorization": f"Bearer {proof}"})
                assert answer.status_code == 401
                assert answer.json()["type"].startswith("urn:hal9:problem:")
    assert httpx.post(f"{small.url}/events", headers=event).status_code == 404
    assert seen(small, "forged") == []


def test_the_broker_takes_events_with_a_token_for_it_only(small: RunningPlatform) -> None:
    event = {"ce-specversion": "1.0", "ce-id": "unproven", "ce-source": "/evil", "ce-type": "test.work"}
    with socket_client(small.run / "broker.sock") as client:
        assert client.post("/", headers=event).status_code == 401
        for proof in ("nonsense", token(small, "gateway", "worker"), token(small, "broker", "broker")):
            assert client.post("/", headers={**event, "authorization": f"Bearer {proof}"}).status_code == 401
        good = {"authorization": f"Bearer {token(small, 'worker', 'broker')}"}
        assert client.post("/", headers={**event, **good, "ce-id": "proven"}).status_code == 202
    until(lambda: seen(small, "proven"))
    assert seen(small, "unproven") == []


def test_the_broker_refuses_what_is_malformed_and_names_it(small: RunningPlatform) -> None:
    good = {"authorization": f"Bearer {token(small, 'worker', 'broker')}"}
    batch = "application/cloudevents-batch+json"
    whole = {"specversion": "1.0", "id": "batched", "source": "/test", "type": "test.work"}
    with socket_client(small.run / "broker.sock") as client:
        answer = client.post("/", headers={**good, "ce-specversion": "1.0", "ce-id": "x"})
        assert answer.status_code == 400
        assert {fault["pointer"] for fault in answer.json()["errors"]} >= {"/source", "/type"}
        refused = client.post("/", headers={**good, "content-type": batch}, content=json.dumps([whole, {"id": "half"}]))
        assert refused.status_code == 400
        assert client.post("/", headers=good, content=b"x" * 9_000_000).status_code == 413
        assert client.get("/", headers=good).status_code == 405
        assert client.post("/elsewhere", headers=good).status_code == 404
        taken = client.post("/", headers={**good, "content-type": batch}, content=json.dumps([whole, whole]))
        assert taken.status_code == 202
    until(lambda: len(seen(small, "batched")) == 2)


# scale


def instances(platform: RunningPlatform, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.status()["functions"][name]["instances"]
    return [one for one in found if one["state"] in {"ready", "starting"}]


def test_from_zero_to_many_and_back_to_zero(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms(HAL9_INSTANCES="3")
    one.up()
    assert instances(one, "upkeep") == []
    gate = one.home / "gate"
    answers: list[int] = []

    def ask() -> None:
        answers.append(httpx.get(f"{one.url}/work", params={"until": str(gate)}, timeout=60).json()["pid"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len([i for i in instances(one, "worker") if i["state"] == "ready"]) == 3)
    until(lambda: one.status()["functions"]["worker"]["held"] >= 2)  # 3 instances of 2, 8 requests
    gate.touch()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert 2 <= len(set(answers)) <= 3
    publish(one, "last", status=202)
    until(lambda: instances(one, "upkeep") == [])
    one.down()


def test_a_stream_comes_through_both_proxies(small: RunningPlatform) -> None:
    with httpx.stream("GET", f"{small.url}/ticks", timeout=20) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(9)][::2][:4] == ["data: 0", "data: 1", "data: 2", "data: 3"]
        assert small.status()["functions"]["gateway"]["instances"][0]["streams"] == 1
    until(lambda: small.status()["functions"]["gateway"]["instances"][0]["streams"] == 0)


def _waits(platform: RunningPlatform, gate: str, times: int) -> bool:
    return len(seen(platform, gate)) == times


def test_a_request_whose_instance_is_killed_is_tried_again_or_refused(
    platforms: Callable[..., RunningPlatform],
) -> None:
    one = platforms(HAL9_INSTANCES="1")
    one.up()
    gate = one.home / "gate"
    answers: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{one.url}/work", params={"until": str(gate)}, timeout=120))
    )
    thread.start()
    for attempt in (1, 2):  # a GET is tried once more
        until(partial(_waits, one, str(gate), attempt), seconds=60)
        os.kill(seen(one, str(gate))[-1]["pid"], signal.SIGKILL)
    thread.join(60)
    assert answers[0].status_code == 502
    assert answers[0].json()["type"] == "urn:hal9:problem:upstream-unreachable"
    gate.touch()
    assert httpx.get(f"{one.url}/work", timeout=60).status_code == 200
    assert one.status()["functions"]["worker"]["crashes"] == 2
    one.down()


def test_the_gateway_is_started_again(small: RunningPlatform) -> None:
    (old,) = small.kill("gateway")
    assert httpx.get(f"{small.url}/who", timeout=60).json()["pid"] != old


# kills


def test_the_broker_is_started_again_and_loses_nothing(small: RunningPlatform) -> None:
    gate = small.home / "brokergate"
    for number in range(10):
        assert publish(small, f"kept-{number}", until=str(gate)).status_code == 202
    until(lambda: [line for line in small.journal() if line["id"].startswith("kept-")])
    (old,) = small.kill("broker")
    until(lambda: small.status()["broker"]["pid"] not in {None, old})
    gate.touch()
    until(lambda: all(seen(small, f"kept-{number}") for number in range(10)), seconds=60)
    until(
        lambda: not [k for k, v in small.status()["broker"]["triggers"].items() if k == "worker/work" and v["running"]]
    )


def test_servers_are_started_again(small: RunningPlatform) -> None:
    for name in ("postgres-0", "postgres-2", "valkey"):
        (old,) = small.kill(name)
        gone = {None, old}
        until(partial(_restarted, small, name, gone))


def _restarted(platform: RunningPlatform, name: str, gone: set[int | None]) -> bool:
    return platform.status()["servers"][name]["pid"] not in gone


def test_what_was_accepted_survives_kill_9_of_everything(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    gate = one.home / "gate"
    accepted = [
        f"survivor-{number}"
        for number in range(25)
        if publish(one, f"survivor-{number}", until=str(gate)).status_code == 202
    ]
    assert len(accepted) == 25
    every = [*one.processes(), *one.pids("supervisor")]
    for pid in every:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not one.processes())
    gate.touch()
    one.up()
    until(lambda: all(seen(one, id_) for id_ in accepted), seconds=90)
    one.down()


def test_kill_9_of_the_supervisor_leaves_no_process(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    httpx.get(f"{one.url}/work", timeout=60)
    (supervisor,) = one.kill("supervisor")
    until(lambda: not one.processes() and started(supervisor) is None)
    assert one.hal9("status", check=False).returncode == 1
    one.up()
    assert httpx.get(f"{one.url}/work", timeout=60).status_code == 200
    one.down()
    assert one.processes() == []


def test_the_next_up_ends_what_was_left(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    mark = next(
        entry.split(b"=", 1)[1]
        for entry in Path(f"/proc/{one.pids('gateway')[0]}/environ").read_bytes().split(b"\0")
        if entry.startswith(b"HAL9_PLATFORM=")
    )
    one.down()
    with subprocess.Popen(["/bin/sleep", "600"], env={"HAL9_PLATFORM": mark.decode()}) as left:
        one.up()
        assert left.wait(10) != 0
    one.down()


def test_a_hostile_broker_delivers_everything_many_times_and_loses_nothing(
    platforms: Callable[..., RunningPlatform],
) -> None:
    one = platforms()
    one.up("--hostile", "duplicate=3,delay=0.2,reorder=1,fail=0.2,seed=7")
    ids = [f"tripled-{number}" for number in range(15)]
    for id_ in ids:
        assert publish(one, id_, reply=True).status_code == 202
    until(lambda: all(len(seen(one, id_)) >= 3 for id_ in ids), seconds=90)
    until(lambda: all(len(seen(one, f"{id_}-done")) >= 3 for id_ in ids), seconds=90)
    one.down()


def test_a_hostile_crowd_leaves_the_door_open_and_memory_bounded(small: RunningPlatform) -> None:
    def memory() -> int:
        return int(small.status()["supervisor"]["memory_bytes"])

    before = memory()
    peers = []
    for number in range(200):
        peer = socket.create_connection(("127.0.0.1", small.state["port"]))
        peer.setblocking(False)
        kind = number % 4
        data = {
            0: b"GET /who HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)),
            1: b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"a" * 200_000,
            2: b"GET /who HTTP/1.1\r\nHo",
            3: b"\x00\xff" * 5000,
        }[kind]
        with contextlib.suppress(BlockingIOError):
            peer.send(data)
        peers.append(peer)
    assert httpx.get(f"{small.url}/who", timeout=30).status_code == 200
    assert memory() - before < 200 * 2**20
    for peer in peers:
        peer.close()
    assert httpx.get(f"{small.url}/who", timeout=30).status_code == 200
