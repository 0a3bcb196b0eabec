"""The live stream: ids to resume by, comments while nothing happens, an end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.neuron import stream
from shared.clock import ManualClock
from shared.neurons.wire import RunEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def event(sequence: int, path: str = "/") -> RunEvent:
    return RunEvent(sequence=sequence, type="step.started", at=datetime(2026, 1, 1, tzinfo=UTC), path=path)


async def test_events_are_framed_and_a_quiet_stream_is_kept_alive() -> None:
    clock = ManualClock()

    async def happenings() -> AsyncIterator[RunEvent | None]:
        yield event(1)
        for _ in range(40):
            clock.advance(1.0)
            yield None
        yield event(2, "/line\nbreak")

    lines = [line async for line in stream.lines(happenings(), clock)]
    assert lines[0] == b"retry: 1000\n\n"
    assert lines[1].startswith(b"id: 1\nevent: step.started\ndata: {")
    assert lines[2:4] == [b": still here\n\n"] * 2, "one every fifteen seconds"
    assert lines[4].startswith(b"id: 2\n")
    assert len(lines) == 5
    for line in (lines[1], lines[4]):
        head, body = line.decode().split("data: ")
        assert body.endswith("\n\n")
        assert "\n" not in body[:-2], "a line break in the data would end the event"
        assert RunEvent.model_validate_json(body).sequence == int(head.split()[1])
