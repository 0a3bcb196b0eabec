"""`POST /events`: the broker's proof, and what a function answers to an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request

from events import CloudEvent, catalogue, codec, inbox
from events.catalogue.codegen import ProjectRequested
from events.catalogue.neuron import RunCancelled
from events.catalogue.upkeep import SweepRequested
from events.subscriber import Delivery, Never, NotYet, events_operation
from shared.clock import ManualClock
from shared.function import Function
from shared.identifiers import new_id
from shared.keys import PrivateKey, Trust, write_trust
from shared.permissions import Principal
from shared.tokens import Issuer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ORG = new_id()
CLOCK = ManualClock()


class Seen:
    """What the handlers were given, and what they answer."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.consumers: list[str] = []
        self.answer: CloudEvent | Exception | None = None

    async def handle(self, delivery: Delivery) -> CloudEvent | None:
        self.deliveries.append(delivery)
        self.consumers.append(inbox.consumer.get())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Keys:
    def __init__(self, folder: Path) -> None:
        self.of = {name: PrivateKey.generate(name) for name in ("broker", "gateway", "function:other")}
        self.trust = folder / "trust.json"
        write_trust(self.trust, list(self.of.values()))
        assert Trust.load(self.trust).find(self.of["broker"].kid) is not None

    def token(self, issuer: str, audience: str = "codegen", **more: Any) -> str:
        return Issuer(self.of[issuer]).mint(audience, **more)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    keys = Keys(tmp_path)
    monkeypatch.setenv("HAL9_TRUST", str(keys.trust))
    return keys


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest_asyncio.fixture(loop_scope="session")
async def client(keys: Keys, seen: Seen) -> AsyncIterator[httpx.AsyncClient]:
    types = ("ai.hal9.codegen.project.requested", "ai.hal9.upkeep.sweep.requested")
    function = Function("codegen", [events_operation("codegen", dict.fromkeys(types, seen.handle), clock=CLOCK)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await function.handle(Request(scope, receive))
        await response(scope, receive, send)

    token = keys.token("broker")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://codegen", headers={"authorization": f"Bearer {token}"}
    ) as client:
        yield client


def _event(**extensions: Any) -> CloudEvent:
    data = ProjectRequested(request="A library")
    return catalogue.new(data, id="e1", subject="p", org_id=ORG, source="/s", **extensions)


async def _post(client: httpx.AsyncClient, event: CloudEvent, **headers: str) -> httpx.Response:
    sent, body = codec.to_binary(event)
    return await client.post(
        "/events", headers=[*sent, *((k.encode(), v.encode()) for k, v in headers.items())], content=body
    )


async def test_an_event_reaches_its_handler(client: httpx.AsyncClient, seen: Seen) -> None:
    event = _event()
    answer = await _post(client, event)
    assert (answer.status_code, answer.content) == (202, b"")
    assert "content-type" not in answer.headers
    (delivery,) = seen.deliveries
    assert delivery.event == event
    assert delivery.data == ProjectRequested(request="A library")
    assert delivery.org_id == ORG
    assert (delivery.function, seen.consumers) == ("codegen", ["codegen"])
    assert inbox.consumer.get() == ""


async def test_structured_mode_is_taken_too(client: httpx.AsyncClient, seen: Seen) -> None:
    headers = {"content-type": codec.STRUCTURED}
    answer = await client.post("/events", headers=headers, content=codec.to_structured(_event()))
    assert answer.status_code == 202
    assert len(seen.deliveries) == 1


async def test_a_reply_is_one_event_in_binary_mode(client: httpx.AsyncClient, seen: Seen) -> None:
    seen.answer = catalogue.new(
        RunCancelled(run_id=new_id(), process="p"), id="r", subject="é", org_id=ORG, source="/s"
    )
    answer = await _post(client, _event())
    assert answer.status_code == 200
    assert codec.decode(answer.headers.raw, answer.content) == seen.answer


async def test_never_and_not_yet(client: httpx.AsyncClient, seen: Seen) -> None:
    seen.answer = Never("It was withdrawn.")
    answer = await _post(client, _event())
    assert (answer.status_code, answer.json()["detail"]) == (422, "It was withdrawn.")
    assert answer.headers["content-type"] == "application/problem+json"
    seen.answer = NotYet(7)
    answer = await _post(client, _event())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    seen.answer = NotYet(0.1)
    assert (await _post(client, _event())).headers["retry-after"] == "1"


async def test_an_unexpected_error_is_retried_and_tells_nothing(client: httpx.AsyncClient, seen: Seen) -> None:
    seen.answer = RuntimeError("the secret")
    answer = await _post(client, _event())
    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize("issuer", ["gateway", "function:other"])
async def test_only_the_broker_delivers(client: httpx.AsyncClient, seen: Seen, keys: Keys, issuer: str) -> None:
    principal = Principal(ORG, "key:x", ("owner",), frozenset({"events.deliver"}), "us-west")
    token = keys.token(issuer, principal=principal, scope=["events.deliver"])
    assert (await client.post("/events", headers={"authorization": f"Bearer {token}"})).status_code == 401
    assert seen.deliveries == []


async def test_without_proof_or_with_one_for_another_it_is_401(
    client: httpx.AsyncClient, seen: Seen, keys: Keys
) -> None:
    sent, body = codec.to_binary(_event())
    for authorization in ("", "Bearer x", "Bearer " + keys.token("broker", "neuron"), "Basic YTpi"):
        headers = [*(one for one in sent), (b"authorization", authorization.encode())]
        assert (await client.post("/events", headers=headers, content=body)).status_code == 401
    assert seen.deliveries == []


@pytest.mark.parametrize(
    ("headers", "body", "pointer"),
    [
        ([], b"", "/specversion"),
        ([(b"content-type", b"application/cloudevents+json")], b"{", ""),
        ([(b"content-type", b"application/cloudevents-batch+json")], b"[]", "/content-type"),
        ([(b"content-type", b"application/cloudevents+json")], b'{"id":"1","id":"1"}', ""),
    ],
)
async def test_what_is_no_event_is_400_with_every_fault(
    client: httpx.AsyncClient, headers: list[tuple[bytes, bytes]], body: bytes, pointer: str
) -> None:
    answer = await client.post("/events", headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_can_never_be_taken_is_422(client: httpx.AsyncClient, seen: Seen) -> None:
    other = catalogue.new(RunCancelled(run_id=new_id(), process="p"), id="1", subject=None, org_id=ORG, source="/s")
    own = CloudEvent(id="1", source="/s", type="com.example.own", extensions={"orgid": str(ORG)})
    bad = _event().replace(data=json.dumps({"request": "", "x": 1}).encode())
    for event in (other, own, bad, _event(orgid=None), _event(orgid="not-a-uuid")):
        answer = await _post(client, event)
        assert answer.status_code == 422, event
    assert seen.deliveries == []
    errors = (await _post(client, bad)).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/data/request", "/data/x"}


async def test_a_type_without_organisation(client: httpx.AsyncClient, seen: Seen) -> None:
    event = catalogue.new(SweepRequested(), id="s", subject="sweep", org_id=None, source="/platform")
    assert (await _post(client, event)).status_code == 202
    with pytest.raises(ValueError, match="names no organisation"):
        _ = seen.deliveries[0].org_id


async def test_a_tick_of_knatives_clock_is_what_it_stands_for(client: httpx.AsyncClient, seen: Seen) -> None:
    source = "/apis/v1/namespaces/hal9/pingsources/upkeep-sweep"
    tick = CloudEvent(
        id="t",
        source=source,
        type="dev.knative.sources.ping",
        datacontenttype="application/json",
        data=b"{}",
        extensions={"scheduledtype": "ai.hal9.upkeep.sweep.requested"},
    )
    assert (await _post(client, tick)).status_code == 202
    assert (seen.deliveries[0].event.type, seen.deliveries[0].event.source) == (
        "ai.hal9.upkeep.sweep.requested",
        source,
    )
    assert (await _post(client, tick.with_extensions(scheduledtype=None))).status_code == 422


async def test_an_event_whose_time_is_over_is_dropped(client: httpx.AsyncClient, seen: Seen) -> None:
    past, future = "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"
    assert (await _post(client, _event(expirytime=past))).status_code == 202
    assert seen.deliveries == []
    assert (await _post(client, _event(expirytime=future))).status_code == 202
    assert (await _post(client, _event(expirytime="whenever"))).status_code == 202
    assert len(seen.deliveries) == 2


def test_a_handler_for_an_unknown_type_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"not in the catalogue: ai\.hal9\.x"):
        events_operation("codegen", {"ai.hal9.x.y.requested": Seen().handle})
