"""Engines of language models, through their providers' wire protocols against scripted servers."""

from __future__ import annotations

import asyncio
import binascii
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel, Field

from shared.clock import ManualClock
from shared.neurons import BudgetExhausted, Question, Reply, Signal, Unbilled
from shared.neurons.engine import NoAnswer
from shared.neurons.models import ModelEngine, ModelSettings, Provider, model_engine
from shared.neurons.models.anthropic import Anthropic
from shared.neurons.models.bedrock import Bedrock
from shared.neurons.models.engine import Patience, Pricing
from shared.neurons.models.openai import OpenAi
from shared.settings import load

PROVIDERS = ("openai", "anthropic", "bedrock")
SECRET = "key-that-nobody-may-see"
GOOD = '{"name": "lending", "size": 3}'
TOO_BIG = '{"name": "lending", "size": 300}'


class Plan(BaseModel):
    name: str
    size: int = Field(le=10)


def question(*, builtin: bool = True, check: Callable[[Plan], list[Signal]] = lambda _: []) -> Question[Plan]:
    known = (lambda: Plan(name="built-in", size=1)) if builtin else None
    return Question(Plan, "You plan.", "Plan a library.", known, check)


class Purse:
    """A ledger with one cap: makes every call, and counts what it cost."""

    def __init__(self, cap: int = 10**9) -> None:
        self.cap = cap
        self.spent = 0
        self.calls: list[str] = []

    async def call(
        self, request: str, most_microdollars: int, make: Callable[[], Awaitable[Reply]], most_tokens: int = 0
    ) -> Reply:
        if self.spent + most_microdollars > self.cap:
            raise BudgetExhausted("run")
        self.calls.append(request)
        try:
            reply = await make()
        except Unbilled:
            raise
        except Exception:
            self.spent += most_microdollars
            raise
        self.spent += reply.cost_microdollars
        return reply


Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Scripted:
    """A server that answers each request with the next entry of a script, and keeps what it was asked."""

    def __init__(self, scripts: list[Script]) -> None:
        self.scripts = scripts
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        headers = dict(part.lower().split(": ", 1) for part in rest if part)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append((line, dict(part.split(": ", 1) for part in rest if part), json.loads(body)))
        try:
            await self.scripts.pop(0)(writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[Scripted]:
    peer = Scripted(list(scripts))
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


def status(code: int, headers: str = "", body: str = SECRET) -> Script:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 {code} X\r\nConnection: close\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    return answer


def streamed(kind: str, *chunks: bytes) -> Script:
    async def answer(writer: asyncio.StreamWriter) -> None:
        media = "application/vnd.amazon.eventstream" if kind == "bedrock" else "text/event-stream"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nConnection: close\r\n\r\n".encode())
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return answer


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: x\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def frame(kind: str, payload: dict[str, Any]) -> bytes:
    """One message of AWS's event stream: lengths, checksums, headers, payload."""
    headers = b""
    for name, value in ((":message-type", "event"), (":event-type", kind), (":content-type", "application/json")):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack(">I", binascii.crc32(message))


def says(kind: str, text: str, *, reason: str | None = None, ended: bool = True) -> Script:
    """A whole answer of that provider, in pieces."""
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    if kind == "openai":
        events: list[dict[str, Any]] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
        if ended:
            events.append({"choices": [{"delta": {}, "finish_reason": reason or "stop"}]})
            events.append({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
        return streamed(kind, sse(*events), b"data: [DONE]\n\n" if ended else b"")
    if kind == "anthropic":
        events = [{"type": "message_start", "message": {"usage": {"input_tokens": 100, "output_tokens": 1}}}]
        events += [
            {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ]
        if ended:
            events += [
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": reason or "tool_use"},
                    "usage": {"output_tokens": 10},
                },
                {"type": "message_stop"},
            ]
        return streamed(kind, sse(*events))
    frames = [frame("messageStart", {"role": "assistant"})]
    frames += [
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": piece}}}) for piece in pieces
    ]
    if ended:
        frames.append(frame("messageStop", {"stopReason": reason or "tool_use"}))
        frames.append(
            frame(
                "metadata",
                {"usage": {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110}, "metrics": {"latencyMs": 1}},
            )
        )
    return streamed(kind, *frames)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)


def provider(kind: str, url: str, seconds: float = 10) -> Provider:
    if kind == "openai":
        return OpenAi(f"{url}/v1", SECRET, seconds)
    if kind == "anthropic":
        return Anthropic(url, SECRET, seconds)
    return Bedrock("eu-central-1", url, seconds)


class Impatient(ManualClock):
    """Time that passes at once, and is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def engine(
    kind: str, url: str, *, seconds: float = 10, clock: Impatient | None = None
) -> AsyncIterator[ModelEngine]:
    made = ModelEngine(
        provider(kind, url, seconds), "m-1", Pricing(1_000_000, 2_000_000), Patience(500, 2, 3), clock or Impatient()
    )
    try:
        yield made
    finally:
        await made.close()


each_provider = pytest.mark.parametrize("kind", PROVIDERS)


@each_provider
async def test_a_good_answer(kind: str) -> None:
    purse = Purse()
    async with scripted(says(kind, GOOD)) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), purse)
    assert thought.value == Plan(name="lending", size=3)
    assert (thought.engine, thought.model, thought.note) == ("model", f"{kind}/m-1", "")
    assert purse.spent == 100 * 1 + 10 * 2
    ((line, headers, body),) = peer.asked
    assert "Plan a library." in json.dumps(body)
    assert '"maximum": 10' in json.dumps(body)
    if kind == "openai":
        assert line.startswith("POST /v1/chat/completions")
        assert headers["Authorization"] == f"Bearer {SECRET}"
    elif kind == "anthropic":
        assert line.startswith("POST /v1/messages")
        assert headers["x-api-key"] == SECRET
        assert body["tool_choice"] == {"type": "tool", "name": "answer"}
    else:
        assert "/model/m-1/converse-stream" in line
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256")


@each_provider
@pytest.mark.parametrize(
    "bad", [TOO_BIG, '{"name": "x"', "I would rather not say.", "[]", "", '{"name": "x", "size": "big"}']
)
async def test_an_answer_that_breaks_the_contract_is_sent_back_with_its_faults(kind: str, bad: str) -> None:
    async with scripted(says(kind, bad), says(kind, GOOD)) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse())
    assert (thought.value.size, thought.engine) == (3, "repaired")
    again = json.dumps(peer.asked[1][2])
    assert "That answer was refused" in again
    if bad == TOO_BIG:
        assert "/size" in again
        assert "less than or equal to 10" in again


@each_provider
async def test_a_fault_that_only_the_check_sees_is_sent_back_as_well(kind: str) -> None:
    def check(plan: Plan) -> list[Signal]:
        wrong = plan.name == "lending"
        return (
            [Signal(blame_step=".", contract_path="/name", diagnostic="not that name", hint="Say library.")]
            if wrong
            else []
        )

    second = '{"name": "library", "size": 2}'
    async with scripted(says(kind, GOOD), says(kind, second)) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(check=check), Purse())
    assert (thought.value.name, thought.engine) == ("library", "repaired")
    assert "Say library." in json.dumps(peer.asked[1][2])


@each_provider
async def test_after_the_last_repair_the_built_in_takes_over_and_says_why(kind: str) -> None:
    async with scripted(*[says(kind, TOO_BIG)] * 3) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse())
    assert (thought.value.name, thought.engine) == ("built-in", "builtin")
    assert "3 answers broke the contract" in thought.note
    assert "/size" in thought.note
    assert len(peer.asked) == 3


@each_provider
async def test_without_a_built_in_there_is_no_answer(kind: str) -> None:
    async with scripted(*[says(kind, "no")] * 3) as peer, engine(kind, peer.url) as model:
        with pytest.raises(NoAnswer, match="no built-in"):
            await model.think(question(builtin=False), Purse())


@each_provider
async def test_a_rate_limit_is_waited_for_and_costs_nothing(kind: str) -> None:
    clock, purse = Impatient(), Purse()
    scripts = (status(429, "Retry-After: 7\r\n"), status(503), says(kind, GOOD))
    async with scripted(*scripts) as peer, engine(kind, peer.url, clock=clock) as model:
        thought = await model.think(question(), purse)
    assert thought.engine == "model"
    assert purse.spent == 120
    assert len(clock.slept) == 2
    if kind != "bedrock":
        assert clock.slept[0] == 7.0


@each_provider
@pytest.mark.parametrize("code", [429, 500, 529])
async def test_a_provider_that_stays_away_is_given_up_after_the_last_try(kind: str, code: int) -> None:
    async with scripted(*[status(code)] * 3) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse())
    assert thought.engine == "builtin"
    assert len(peer.asked) == 3
    assert SECRET not in thought.note


@each_provider
@pytest.mark.parametrize("code", [400, 401, 403, 404])
async def test_a_request_that_the_provider_rejects_is_not_repeated_and_costs_nothing(kind: str, code: int) -> None:
    purse = Purse()
    async with scripted(status(code)) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), purse)
    assert (thought.engine, purse.spent) == ("builtin", 0)
    assert str(code) in thought.note
    assert SECRET not in thought.note


REFUSALS = {
    "openai": streamed("openai", sse({"choices": [{"delta": {"refusal": "I will not."}}]})),
    "anthropic": says("anthropic", "", reason="refusal"),
    "bedrock": says("bedrock", "", reason="guardrail_intervened"),
}


@each_provider
async def test_a_refusal_is_taken_as_one(kind: str) -> None:
    async with scripted(REFUSALS[kind]) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse())
    assert thought.engine == "builtin"
    assert "refused" in thought.note


@each_provider
@pytest.mark.parametrize("ended", [False, True], ids=["connection", "token-limit"])
async def test_a_stream_that_is_cut_off_is_no_answer_and_counts_in_full(kind: str, ended: bool) -> None:
    purse = Purse()
    script = says(kind, GOOD, reason="length" if kind == "openai" else "max_tokens", ended=ended)
    async with scripted(script) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), purse)
    assert thought.engine == "builtin"
    assert "cut-off" in thought.note
    assert purse.spent >= 500 * 2


@each_provider
async def test_an_answer_that_does_not_come_is_given_up_and_counts_in_full(kind: str) -> None:
    over = asyncio.Event()

    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await writer.drain()
        await over.wait()

    purse = Purse()
    async with scripted(silent) as peer, engine(kind, peer.url, seconds=0.3) as model:
        thought = await model.think(question(), purse)
        over.set()
    assert thought.engine == "builtin"
    assert "timed-out" in thought.note
    assert purse.spent >= 500 * 2


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("chunk", [b"data: {not json}\n\n", b"data: [1]\n\n", b"data: " + b"[" * 100_000 + b"\n\n"])
async def test_a_stream_of_garbage_is_malformed(kind: str, chunk: bytes) -> None:
    async with scripted(streamed(kind, chunk)) as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse())
    assert thought.engine == "builtin"
    assert "malformed" in thought.note


@each_provider
async def test_nobody_there(kind: str) -> None:
    purse = Purse()
    async with scripted() as peer:
        pass
    async with engine(kind, peer.url) as model:
        thought = await model.think(question(), purse)
    assert (thought.engine, purse.spent) == ("builtin", 0)


@each_provider
async def test_a_cap_that_does_not_hold_the_call_keeps_it_from_being_made(kind: str) -> None:
    async with scripted() as peer, engine(kind, peer.url) as model:
        thought = await model.think(question(), Purse(cap=10))
        with pytest.raises(BudgetExhausted):
            await model.think(question(builtin=False), Purse(cap=10))
    assert (thought.engine, peer.asked) == ("builtin", [])
    assert "budget" in thought.note


async def test_the_same_question_is_the_same_request_and_another_is_another() -> None:
    one, other, third = Purse(), Purse(), Purse()
    async with scripted(*[says("openai", GOOD)] * 3) as peer, engine("openai", peer.url) as model:
        await model.think(question(), one)
        await model.think(question(), other)
        await model.think(Question(Plan, "You plan.", "Plan a museum.", None), third)
    assert one.calls == other.calls != third.calls


@pytest.mark.parametrize(
    ("tokens", "cost"), [((0, 0), 0), ((1, 0), 3), ((1_000_000, 0), 3_000_000), ((1, 1), 18), ((333, 0), 999)]
)
def test_cost_is_rounded_up(tokens: tuple[int, int], cost: int) -> None:
    assert Pricing(3_000_000, 15_000_000).cost(*tokens) == cost
    assert Pricing(1, 1).cost(1, 0) == 1


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"HAL9_MODEL_L4": "gpt"}, "provider:model"),
        ({"HAL9_MODEL_L4": "oracle:delphi"}, "bedrock, anthropic, openai"),
        ({"HAL9_MODEL_L4": "anthropic:claude"}, "HAL9_MODEL_ANTHROPIC_KEY"),
    ],
)
def test_a_wrong_setting_says_what_to_do(environment: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        model_engine(load(ModelSettings, environment), "l4")


def test_a_layer_without_a_model_has_none() -> None:
    found = load(ModelSettings, {"HAL9_MODEL_L4": "openai:qwen"})
    made = model_engine(found, "l4")
    assert made is not None
    assert made.name == "openai/qwen"
    assert model_engine(found, "l2") is None
