"""One hostile request of 8 MiB must not take the gateway more memory than its pod has."""

from __future__ import annotations

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
