"""Hostile requests of 8 MiB must not take the gateway more memory than its pod has, nor keep others out."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from functions.gateway.routes import DOCUMENT
from tests.integration.gateway.stage import connect

if TYPE_CHECKING:
    from tests.integration.gateway.stage import MakeCaller, Stage

LONGEST = 8 << 20
MEMORY = 192 << 20  # of functions/gateway/function.toml


def peak_bytes(pid: int) -> int:
    """Give a process's greatest resident size so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


async def test_eight_mebibytes_of_empty_lists_fit_into_the_pod(stage: Stage, caller: MakeCaller) -> None:
    """They took 675 MB as a key's body, 267 MB as a batch."""
    socket = await stage.start(DOCUMENT.parent, "hostile", stage.identity("gateway"))
    process = stage.processes[-1]
    me = await caller("owner")
    lists = b"[" + b"[]," * (LONGEST // 3 - 1) + b"[]]"
    objects = b"[" + b'{"a":1},' * (LONGEST // 8 - 1) + b"{}]"
    async with connect(socket) as client:
        for body in (lists, objects):
            headers = {"Content-Type": "application/cloudevents-batch+json", **me.header}
            answer = await client.post("/v1/events", content=body, headers=headers)
            assert (answer.status_code, "more than" in answer.text) == (400, True)
            headers["Content-Type"] = "application/json"
            for path in ("/v1/keys", "/v1/runs", "/v1/projects"):
                answer = await client.post(path, content=b'{"roles":' + body + b"}", headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (413, "urn:hal9:problem:body-too-large")
    assert peak_bytes(process.pid) < MEMORY * 2 // 3


async def test_stalled_uploads_of_one_organisation_keep_no_other_out(stage: Stage, caller: MakeCaller) -> None:
    socket = await stage.start(DOCUMENT.parent, "stalled", stage.identity("gateway"))
    one, other = await caller("owner"), await caller("owner")
    stalled = [await asyncio.open_unix_connection(str(socket)) for _ in range(4)]
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {one.header['Authorization']}\r\n"
        f"content-type: application/cloudevents-batch+json\r\ncontent-length: {LONGEST}\r\n\r\n"
    )
    for _, writer in stalled:
        writer.write(head.encode() + b"[" * 100_000)
    answers = [asyncio.ensure_future(reader.readuntil(b"}")) for reader, _ in stalled]
    async with asyncio.timeout(20):
        while sum(answer.done() for answer in answers) < len(stalled) - 1:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.01)
    assert all(b"of your large bodies" in answer.result() for answer in answers if answer.done())
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.large", "data": "x" * 900_000}
    headers = {"Content-Type": "application/cloudevents-batch+json", **other.header}
    async with connect(socket) as client:
        answer = await client.post("/v1/events", content=json.dumps([event] * 4), headers=headers)
    assert (answer.status_code, answer.text) == (202, '{"accepted":4}')
    for pending, (_, writer) in zip(answers, stalled, strict=True):
        pending.cancel()
        writer.close()
