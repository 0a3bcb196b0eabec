"""`POST /v1/events`: what is taken becomes the organisation's own; what is at fault is named whole."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.identifiers import new_id

if TYPE_CHECKING:
    import httpx

    from events import CloudEvent
    from tests.integration.gateway.stage import MakeCaller, Stage

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(new_id()),
        "source": "/shop/orders",
        "type": "com.example.order.paid",
        "data": {"order": 4711},
        **changes,
    }


def taken(stage: Stage, *ids: str) -> list[CloudEvent]:
    return [one for one in stage.broker.events if one.id in ids]


async def test_a_structured_event_is_stored_as_the_organisations_own(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    sent = event(orgid="someone-else", extra="kept", subject="orders/4711")
    answer = await client.post("/v1/events", content=json.dumps(sent), headers={**STRUCTURED, **me.header})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (stored,) = taken(stage, sent["id"])
    assert stored.orgid == str(me.org_id)
    assert (stored.source, stored.subject, stored.extensions["extra"]) == ("/shop/orders", "orders/4711", "kept")
    assert json.loads(stored.data or b"") == {"order": 4711}
    assert stored.traceparent is not None
    assert stored.traceparent.split("-")[1] == answer.headers["x-trace-id"]


async def test_a_binary_event_is_stored_byte_for_byte(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    body = bytes(range(256))
    name = str(new_id())
    headers = {
        "ce-specversion": "1.0",
        "ce-id": name,
        "ce-source": "/shop/orders",
        "ce-type": "com.example.photo.taken",
        "ce-orgid": "someone-else",
        "Content-Type": "image/png",
    }
    answer = await client.post("/v1/events", content=body, headers={**headers, **me.header})
    assert answer.status_code == 202
    (stored,) = taken(stage, name)
    assert (stored.data, stored.datacontenttype, stored.orgid) == (body, "image/png", str(me.org_id))


async def test_a_batch_is_stored_whole(client: httpx.AsyncClient, caller: MakeCaller, stage: Stage) -> None:
    me = await caller()
    sent = [event(orgid="x") for _ in range(25)]
    answer = await client.post("/v1/events", content=json.dumps(sent), headers={**BATCH, **me.header})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 25})
    stored = taken(stage, *(one["id"] for one in sent))
    assert len(stored) == 25
    assert {one.orgid for one in stored} == {str(me.org_id)}
    empty = await client.post("/v1/events", content=b"[]", headers={**BATCH, **me.header})
    assert (empty.status_code, empty.json()) == (202, {"accepted": 0})


async def test_every_fault_of_a_batch_is_named_and_nothing_is_stored(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    good = event()
    bad = [good, event(id="", time="yesterday"), event(source=None), {"specversion": "0.3"}]
    answer = await client.post("/v1/events", content=json.dumps(bad), headers={**BATCH, **me.header})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:hal9:problem:event-malformed"
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert {"/1/id", "/1/time", "/2/source", "/3/specversion", "/3/id", "/3/type"} <= pointers
    assert not any(pointer.startswith("/0") for pointer in pointers)
    assert taken(stage, good["id"]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "ai.hal9.neuron.step.requested"},
        {"type": "ai.hal9.unheard.of.thing"},
        {"type": "ai.hal9."},
        {"source": "/regions/us-west/functions/neuron"},
        {"source": "/regions"},
        {"source": "regions/us-west"},
        {"source": "/REGIONS/us-west"},
        {"source": "/%72egions/us-west"},
        {"source": "//regions/regions/us-west"},
        {"source": "/./regions/us-west"},
        {"source": "https://example.com/regions/us-west"},
        {"source": "/shop/../regions/us-west"},
    ],
)
async def test_reserved_types_and_sources_are_refused(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage, changes: dict[str, str]
) -> None:
    me = await caller()
    good, bad = event(), event(**changes)
    answer = await client.post("/v1/events", content=json.dumps([good, bad]), headers={**BATCH, **me.header})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:hal9:problem:event-reserved")
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"/1/{next(iter(changes))}"
    alone = await client.post("/v1/events", content=json.dumps(bad), headers={**STRUCTURED, **me.header})
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (403, f"/{next(iter(changes))}")
    assert taken(stage, good["id"], bad["id"]) == []


async def test_a_type_of_ours_may_be_published_by_those_with_its_permission(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    wanted = "ai.hal9.codegen.project.requested"
    sent = event(type=wanted, data={"request": "A library for leap years.", "language": "python"})
    me = await caller("developer")
    answer = await client.post("/v1/events", content=json.dumps(sent), headers={**STRUCTURED, **me.header})
    assert answer.status_code == 202, answer.text
    (stored,) = taken(stage, sent["id"])
    assert stored.orgid == str(me.org_id)
    for data in ({"request": 7}, {"request": "A library\0 for leap years."}):
        wrong = event(type=wanted, data=data)
        answer = await client.post("/v1/events", content=json.dumps(wrong), headers={**STRUCTURED, **me.header})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:hal9:problem:body-invalid")
        assert all(fault["pointer"].startswith("/data") for fault in answer.json()["errors"])


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/cloudevents+json", b"", 400),
        ("application/cloudevents+json", b"{", 400),
        ("application/cloudevents+json", b"[]", 400),
        ("application/cloudevents+json", b'{"id":"a","id":"b"}', 400),
        ("application/cloudevents+json", b'{"id":"\xff"}', 400),
        ("application/cloudevents+json", b"[" * 5000, 400),
        ("application/cloudevents-batch+json", b"{}", 400),
        ("application/cloudevents-batch+json", b"[" + b"[]," * 999 + b"[]]", 400),
        ("application/json", b"{}", 415),
        ("text/plain", b"x", 400),
        ("application/cloudevents+avro", b"x", 415),
        ("application/cloudevents+json; charset=utf-16", b"{}", 415),
    ],
)
async def test_what_is_no_event_is_refused(
    client: httpx.AsyncClient, caller: MakeCaller, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": content_type, **(await caller()).header}
    answer = await client.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 100_000


async def test_too_many_or_too_large_events_are_refused(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    for body, headers, status in [
        (json.dumps([event(data=1)] * 1001), BATCH, 400),
        (json.dumps(event(data="x" * (1 << 20))), STRUCTURED, 413),
        (json.dumps(event(data="x" * (1 << 20) + "x", datacontenttype="text/plain")), STRUCTURED, 413),
        (json.dumps([event(data="x" * (1 << 20))] * 8), BATCH, 413),
    ]:
        answer = await client.post("/v1/events", content=body, headers={**headers, **me.header})
        assert answer.status_code == status, answer.text


def extensions(count: int) -> dict[str, str]:
    return {f"x{number}": "y" for number in range(count)}


MOST = 1 << 20
"""Bytes of data that one event may have."""
LARGEST_DATA: dict[str, dict[str, Any]] = {
    "a text": {"data": "x" * MOST, "datacontenttype": "text/plain"},
    "a text whose characters are all escaped": {"data": "é" * (MOST // 2), "datacontenttype": "text/plain"},
    "JSON": {"data": "x" * (MOST - 2)},
    "bytes": {"data_base64": base64.b64encode(bytes(MOST)).decode()},
}


@pytest.mark.parametrize("members", LARGEST_DATA.values(), ids=LARGEST_DATA)
@pytest.mark.parametrize("batch", [False, True], ids=["alone", "in a batch"])
async def test_data_is_as_large_as_may_be_however_it_is_sent(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage, members: dict[str, Any], *, batch: bool
) -> None:
    sent = event(type=f"com.example.{new_id()}")
    del sent["data"]
    sent |= members
    headers = {**(BATCH if batch else STRUCTURED), **(await caller()).header}
    answer = await client.post("/v1/events", content=json.dumps([sent] if batch else sent), headers=headers)
    assert answer.status_code == 202, answer.text
    (stored,) = [one for one in stage.broker.events if one.type == sent["type"]]
    assert len(stored.data or b"") == MOST


LARGEST: dict[str, dict[str, Any]] = {
    "id": {"id": "é" * 256},
    "source": {"source": "/" + "s" * 1023},
    "extensions": {**extensions(56), "orgid": "x", "traceparent": "y"},
    "attributes": {"subject": "é" * 2_600},
}


@pytest.mark.parametrize("changes", LARGEST.values(), ids=LARGEST)
async def test_what_is_as_large_as_may_be_is_stored(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage, changes: dict[str, Any]
) -> None:
    sent = event(**changes, type=f"com.example.{new_id()}")
    headers = {**STRUCTURED, **(await caller()).header}
    answer = await client.post("/v1/events", content=json.dumps(sent), headers=headers)
    assert answer.status_code == 202, answer.text
    (stored,) = [one for one in stage.broker.events if one.type == sent["type"]]
    assert (stored.id, stored.source, stored.subject) == (sent["id"], sent["source"], sent.get("subject"))


TOO_LARGE: dict[str, tuple[dict[str, Any], str]] = {
    "id": ({"id": "i" * 257}, "/id"),
    "source": ({"source": "/" + "s" * 1024}, "/source"),
    "extensions": (extensions(57), ""),
    "as many extensions as there can be": (extensions(64), ""),
    "attributes": ({"subject": "s" * 16_384}, ""),
    "attributes when encoded": ({"subject": "é" * 2_800}, ""),
    "a trace, which goes twice": ({"traceparent": "t" * 8_192}, ""),
}


@pytest.mark.parametrize(("changes", "pointer"), TOO_LARGE.values(), ids=TOO_LARGE)
async def test_what_could_not_be_delivered_for_its_size_is_refused_at_once(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage, changes: dict[str, Any], pointer: str
) -> None:
    good, bad = event(), event(**changes)
    headers = (await caller()).header
    alone = await client.post("/v1/events", content=json.dumps(bad), headers={**STRUCTURED, **headers})
    assert (alone.status_code, alone.json()["type"]) == (422, "urn:hal9:problem:event-refused"), alone.text
    assert alone.json()["title"] == "This event can never be taken"
    assert [fault["pointer"] for fault in alone.json()["errors"]] == [pointer]
    batch = await client.post("/v1/events", content=json.dumps([good, bad]), headers={**BATCH, **headers})
    assert [fault["pointer"] for fault in batch.json()["errors"]] == [f"/1{pointer}"]
    assert taken(stage, good["id"], bad["id"]) == []


async def test_without_the_broker_nothing_is_said_to_be_stored(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    stage.broker.status = 503
    try:
        answer = await client.post("/v1/events", content=json.dumps(event()), headers={**STRUCTURED, **me.header})
    finally:
        stage.broker.status = 202
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:hal9:problem:event-unpublished")
    assert int(answer.headers["retry-after"]) >= 1


async def test_publishing_needs_its_permission(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    headers = {**STRUCTURED, **(await caller("viewer")).header}
    assert (await client.post("/v1/events", content=json.dumps(event()), headers=headers)).status_code == 403


async def test_a_whole_number_is_an_integer_however_it_is_written(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    headers = {**STRUCTURED, **(await caller()).header}
    sent = event()
    body = json.dumps(sent)[:-1].encode() + b', "count": 7.0, "more": -1e2, "data2": "1.5"}'
    answer = await client.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    (stored,) = taken(stage, sent["id"])
    assert (stored.extensions["count"], stored.extensions["more"]) == ("7", "-100")
    for wrong in (b'"count": 7.5', b'"count": 3e9', b'"count": 7.0, "count": 7.0', b'"count": 1e400'):
        body = json.dumps(event())[:-1].encode() + b", " + wrong + b"}"
        answer = await client.post("/v1/events", content=body, headers=headers)
        assert answer.status_code == 400, (wrong, answer.text)


async def test_data_keeps_its_bytes_where_an_extension_is_a_whole_number(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    sent = event()
    data = b'{"price":0.1000000000000000055511151231257827,"t":1E2}'
    body = json.dumps({**sent, "count": 7.0, "data": 0}).replace('"data": 0', '"data": ' + data.decode())
    answer = await client.post("/v1/events", content=body, headers={**STRUCTURED, **me.header})
    assert answer.status_code == 202
    (stored,) = taken(stage, sent["id"])
    assert stored.data == data
    assert stored.extensions["count"] in {7, "7"}


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("identity, br", 415), ("identity", 202)])
async def test_an_event_that_is_compressed_is_refused_and_not_kept_as_it_came(
    client: httpx.AsyncClient, caller: MakeCaller, stage: Stage, coding: str, status: int
) -> None:
    sent = event()
    headers = {**STRUCTURED, **(await caller()).header, "Content-Encoding": coding}
    answer = await client.post("/v1/events", content=json.dumps(sent), headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers.get("accept-encoding") == ("identity" if status == 415 else None)
    assert len(taken(stage, sent["id"])) == (1 if status == 202 else 0)


async def test_an_event_sent_as_plain_json_is_told_its_media_type(
    client: httpx.AsyncClient, caller: MakeCaller
) -> None:
    me = await caller()
    headers = {"Content-Type": "application/json", **me.header}
    answer = await client.post("/v1/events", content=json.dumps(event()), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:hal9:problem:media-type-unsupported")
    (fault,) = answer.json()["errors"]
    assert "application/cloudevents+json" in fault["detail"]
    assert "ce-" in fault["detail"]
