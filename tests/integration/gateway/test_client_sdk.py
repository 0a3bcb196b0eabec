"""The Python SDK and `hal9 keys` against the whole API."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from knative.cli.main import main
from shared.client import ApiError, Client, UnreachableError
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.integration.gateway.stage import MakeCaller, Stage


@pytest.fixture
async def mine(api: str, caller: MakeCaller) -> AsyncIterator[Client]:
    me = await caller("owner")
    with Client(api, me.text) as client:
        yield client


async def test_keys(mine: Client, api: str) -> None:
    def work() -> None:
        made = mine.keys.create("a", ["developer"], expires_in_days=3)
        assert made.key.startswith(made.prefix)
        with Client(api, made.key) as theirs:
            assert next(key.id for key in theirs.keys.list()) == made.id
            with pytest.raises(ApiError) as refused:
                theirs.keys.create("b", ["viewer"])
            assert (refused.value.status, refused.value.slug) == (403, "permission-missing")
            mine.keys.revoke(made.id)
            with pytest.raises(ApiError, match="401"):
                theirs.keys.page()
        for number in range(5):
            mine.keys.create(f"k{number}", ["viewer"])
        assert len(mine.keys.page(limit=2).keys) == 2
        assert len(list(mine.keys.list())) == 7

    await asyncio.to_thread(work)


async def test_usage(mine: Client, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        before = mine.usage.get()
        project = mine.projects.create("A library for leap years.")
        after = mine.usage.get(hours=24)
        runs = [next(one for one in shown.meters if one.meter == "runs") for shown in (before, after)]
        assert [(one.used, one.state) for one in runs] == [(0, "within"), (1, "within")]
        assert (after.tier, after.month) == ("professional", project.created_at.strftime("%Y-%m"))
        with pytest.raises(ApiError) as wrong:
            mine.usage.get(month="2999-01")
        assert (wrong.value.status, wrong.value.slug) == (422, "month-invalid")
        key = mine.keys.create("reader", ["viewer"]).key
        monkeypatch.setenv("HAL9_URL", api)
        monkeypatch.setenv("HAL9_API_KEY", key)
        shown = CliRunner().invoke(main, ["usage"])
        assert (shown.exit_code, "tier professional" in shown.output) == (0, True), shown.output
        assert "browser_minutes *" in shown.output
        document = json.loads(CliRunner().invoke(main, ["usage", "--month", "2020-01", "--json"]).output)
        assert (document["month"], document["hours"]) == ("2020-01", [])

    await asyncio.to_thread(work)


async def test_projects(mine: Client) -> None:
    def work() -> None:
        key = str(new_id())
        project = mine.projects.create("A library for leap years.", idempotency_key=key)
        assert mine.projects.create("A library for leap years.", idempotency_key=key) == project
        assert mine.projects.get(project.id) == project
        assert [one.id for one in mine.projects.list()] == [project.id]
        assert mine.projects.page(limit=1).next_cursor is None
        with pytest.raises(ApiError) as reused:
            mine.projects.create("Another one.", idempotency_key=key)
        assert reused.value.status == 409
        with pytest.raises(ApiError) as refused:
            mine.projects.create("A library.", language="cobol")
        assert (refused.value.slug, refused.value.document["available"]) == ("language-unavailable", ["python"])
        for _ in range(3):
            mine.projects.create("More.")
        first = mine.projects.page(limit=3)
        second = mine.projects.page(limit=3, cursor=first.next_cursor)
        assert len({one.id for one in [*first.projects, *second.projects]}) == 4

    await asyncio.to_thread(work)


async def test_runs_are_watched_until_their_end(mine: Client) -> None:
    def watch(run_id: Any) -> list[str]:
        return [event.type for event in mine.runs.watch(run_id)]

    run = await asyncio.to_thread(
        mine.runs.start, "software", {"request": "A library for leap years.", "language": "python"}
    )
    assert (await asyncio.to_thread(mine.runs.get, run.id)).id == run.id
    watching = asyncio.create_task(asyncio.to_thread(watch, run.id))
    cancelled = await asyncio.to_thread(mine.runs.cancel, run.id)
    assert cancelled.state == "cancelled"
    seen = await asyncio.wait_for(watching, 60)
    assert seen[0] == "run.started"
    assert seen[-1] == "run.cancelled"
    later = await asyncio.to_thread(lambda: list(mine.runs.watch(run.id, after=1)))
    assert next(event.sequence for event in later) == 2
    for beyond in (later[-1].sequence, 10**12):
        assert await asyncio.to_thread(list, mine.runs.watch(run.id, after=beyond)) == []
    assert await asyncio.to_thread(lambda: [one.id for one in mine.runs.list(state="cancelled")]) == [run.id]


async def test_events(mine: Client, stage: Stage) -> None:
    event_id = await asyncio.to_thread(
        mine.events.publish, "com.example.order.paid", "/shop", {"order": 1}, subject="orders/1", region="eu"
    )
    (stored,) = [event for event in stage.broker.events if event.id == event_id]
    assert (stored.subject, stored.extensions["region"], stored.data) == ("orders/1", "eu", b'{"order": 1}')
    with pytest.raises(ApiError) as refused:
        await asyncio.to_thread(mine.events.publish, "", "/shop")
    assert refused.value.errors == [{"pointer": "/0/type", "detail": "type must not be empty"}]
    assert await asyncio.to_thread(lambda: list(mine.dead_letters.list())) == []


async def test_nobody_sees_what_is_anothers(mine: Client, api: str, caller: MakeCaller) -> None:
    other = await caller("owner")

    def work() -> None:
        project = mine.projects.create("A library.")
        run = mine.runs.start("software", {"request": "A library."})
        with Client(api, other.text) as theirs:
            for look in (
                lambda thing: theirs.projects.get(thing),
                lambda thing: theirs.runs.get(thing),
                lambda thing: theirs.runs.cancel(thing),
                lambda thing: theirs.runs.replay(thing),
                lambda thing: list(theirs.runs.watch(thing)),
                lambda thing: theirs.artefacts.get(thing),
                lambda thing: theirs.dead_letters.get(thing),
                lambda thing: theirs.dead_letters.redrive(thing),
            ):
                said = []
                for thing in (project.id, run.id, new_id()):
                    with pytest.raises(ApiError) as refused:
                        look(thing)
                    assert refused.value.status == 404
                    said.append({**refused.value.document, "trace_id": ""})
                assert said[0] == said[1] == said[2]
            assert list(theirs.projects.list()) == []
            assert list(theirs.runs.list()) == []

    await asyncio.to_thread(work)


async def test_an_address_without_an_api_is_said_to_be_one(api: str) -> None:
    def work() -> None:
        nowhere = Client("http://127.0.0.1:1", "hal9_x", tries=2, sleep=lambda seconds: None)
        with nowhere, pytest.raises(UnreachableError, match="hal9 up"):
            nowhere.keys.page()

    await asyncio.to_thread(work)


@pytest.fixture
def flaky() -> Iterator[tuple[str, list[tuple[int, dict[str, str], bytes]], list[tuple[str, dict[str, str]]]]]:
    """A server that answers as it is told, one answer for each request, and keeps what it was asked."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    answers: list[tuple[int, dict[str, str], bytes]] = []
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            asked.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}))
            status, headers, body = answers.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if headers.get("Connection") == "close":
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers, asked
    server.shutdown()
    thread.join()
    server.server_close()


def problem(slug: str, status: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = {"type": f"urn:hal9:problem:{slug}", "title": "t", "status": status, "detail": "d"}
    return status, {"Content-Type": "application/problem+json", **headers}, json.dumps(body).encode()


PAGE: tuple[int, dict[str, str], bytes] = (200, {}, b'{"keys": [], "next_cursor": null}')


def test_what_may_be_tried_again_is_and_waits_as_long_as_it_is_asked_to(flaky: Any) -> None:
    url, answers, asked = flaky
    slept: list[float] = []
    answers += [problem("rate-limited", 429, **{"Retry-After": "7"}), problem("x", 502), problem("x", 503), PAGE]
    with Client(url, "hal9_x", sleep=slept.append) as client:
        client.keys.page()
    assert len(asked) == 4
    assert 7 <= slept[0] < 8


def test_every_wait_is_told_and_one_that_is_too_long_is_refused_in_the_servers_own_words(flaky: Any) -> None:
    url, answers, asked = flaky
    told: list[tuple[str, float]] = []
    answers += [
        problem("cache-unavailable", 503, **{"Retry-After": "1"}),
        problem("shard-full", 503, **{"Retry-After": "30"}),
    ]
    with (
        Client(url, "hal9_x", sleep=lambda seconds: None, told=lambda error, s: told.append((str(error), s))) as client,
        pytest.raises(ApiError) as refused,
    ):
        client.keys.page()
    assert (refused.value.slug, len(asked)) == ("shard-full", 2)
    assert [(text, 1 <= seconds < 2) for text, seconds in told] == [("t (503). d", True)]


def test_what_may_have_been_done_is_not_done_twice(flaky: Any) -> None:
    url, answers, asked = flaky
    answers += [problem("outcome-unknown", 503), PAGE]
    with Client(url, "hal9_x", sleep=lambda seconds: None) as client, pytest.raises(ApiError, match="503"):
        client.keys.create("a", ["viewer"])
    assert len(asked) == 1


def test_what_makes_something_carries_a_key_so_that_it_may_be_tried_again(flaky: Any) -> None:
    url, answers, asked = flaky
    answers += [problem("outcome-unknown", 503)] * 4
    with Client(url, "hal9_x", sleep=lambda seconds: None) as client, pytest.raises(ApiError, match="503"):
        client.projects.create("A library.")
    keys = {headers["idempotency-key"] for _, headers in asked}
    assert (len(asked), len(keys)) == (4, 1)


def test_a_broken_stream_is_taken_up_where_it_ended(flaky: Any) -> None:
    url, answers, asked = flaky

    def event(sequence: int, kind: str) -> bytes:
        data = json.dumps({"sequence": sequence, "type": kind, "at": "2026-01-01T00:00:00Z"})
        return f"id: {sequence}\nevent: {kind}\ndata: {data}\n\n".encode()

    stream = {"Content-Type": "text/event-stream", "Connection": "close"}
    whole = event(1, "run.started") + b": still here\n\n" + event(2, "step.requested")
    cut = {**stream, "Content-Length": str(len(whole) + 100)}
    answers += [(200, cut, whole), problem("draining", 503), (200, stream, event(3, "run.completed"))]
    quiet: list[str] = []
    with Client(url, "hal9_x", sleep=lambda seconds: None) as client:
        seen = [one.sequence for one in client.runs.watch(new_id(), quiet=lambda: quiet.append("still there"))]
    assert seen == [1, 2, 3]
    assert quiet == ["still there"]
    assert [headers["last-event-id"] for _, headers in asked] == ["0", "2", "2"]


def test_an_answer_that_is_no_apis_is_not_taken_for_one(flaky: Any) -> None:
    url, answers, _ = flaky
    answers += [(200, {}, b"<html>"), (404, {}, b"<html>")]
    with Client(url, "hal9_x", tries=1) as client:
        for _ in range(2):
            with pytest.raises(UnreachableError, match="address"):
                client.keys.page()


async def hal9(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knative.cli.main", *arguments,
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_the_command_line_looks_after_keys(api: str, caller: MakeCaller, tmp_path: Any) -> None:
    me = await caller("owner")
    (tmp_path / "credentials.json").write_text(json.dumps({"url": api, "api_key": me.text}))
    home = {"HAL9_HOME": str(tmp_path)}
    code, output, errors = await hal9(
        home, "keys", "create", "--name", "[/]ci", "--role", "viewer", "--expires-in-days", "2"
    )
    assert code == 0, errors
    key = output.strip()
    assert key.startswith("hal9_")
    listed = json.loads((await hal9(home, "keys", "list", "--json"))[1])
    assert [one["name"] for one in listed] == ["[/]ci", "test"]
    assert "key" not in listed[0]
    theirs = {"HAL9_URL": api, "HAL9_API_KEY": key}
    code, output, _ = await hal9(theirs, "keys", "create", "--name", "x", "--json")
    assert (code, json.loads(output)["problem"]["status"]) == (1, 403)
    code, output, _ = await hal9(home, "keys", "revoke", listed[0]["id"])
    assert (code, "is revoked" in output) == (0, True)
    code, _, errors = await hal9(theirs, "keys", "list")
    assert (code, "not valid" in errors) == (1, True)
    assert "ci" not in (await hal9(home, "keys", "list"))[1]
    _, output, errors = await hal9(home, "keys", "list", "--all")
    assert "revoked" in output
    assert "[/]ci" in output, errors


async def test_half_of_the_credentials_are_refused(tmp_path: Any) -> None:
    for environment, said in [
        ({"HAL9_URL": "http://127.0.0.1:1", "HAL9_API_KEY": ""}, "HAL9_API_KEY is not set"),
        ({"HAL9_URL": "", "HAL9_API_KEY": "", "HAL9_HOME": str(tmp_path)}, "hal9 up"),
    ]:
        code, _, errors = await hal9(environment, "keys", "list")
        assert code == 1
        assert said in errors


async def test_an_ingress_is_reached_at_its_address_by_the_hosts_name(tmp_path: Any) -> None:
    """With HAL9_CONNECT_TO, or the file's `connect_to`, the name is asked for and no DNS is."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.extend(line for line in head.decode().splitlines() if line.lower().startswith("host:"))
        body = b'{"keys": [], "next_cursor": null}'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    written = tmp_path / "cluster.json"
    written.write_text(json.dumps({"url": "http://gateway.hal9.invalid", "api_key": "k", "connect_to": place}))
    variables = {"HAL9_URL": "http://gateway.hal9.invalid", "HAL9_API_KEY": "k", "HAL9_CONNECT_TO": place}
    unset = {"HAL9_URL": "", "HAL9_API_KEY": ""}
    async with server:
        for environment in ({**unset, "HAL9_CREDENTIALS": str(written)}, variables):
            code, output, errors = await hal9(environment, "keys", "list", "--json")
            assert (code, json.loads(output)) == (0, []), errors
    assert {line.lower() for line in asked} == {"host: gateway.hal9.invalid"}
    code, _, errors = await hal9({**variables, "HAL9_CONNECT_TO": "nonsense"}, "keys", "list")
    assert (code, "host:port" in errors) == (1, True)


def test_dead_letters_are_readable_on_a_narrow_terminal(flaky: Any) -> None:
    url, answers, _ = flaky
    letter = {
        "id": str(new_id()), "event_id": "1", "event_type": "ai.hal9.codegen.project.requested", "source": "/shop",
        "subject": None, "destination": "neuron-l4-step-requested", "error_code": 503, "error": "overloaded",
        "attempts": 2, "received_at": "2026-01-02T03:04:05Z", "redriven_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    waits = {**letter, "id": str(new_id()), "destination": "unknown", "error_code": None, "attempts": 1}
    waits["redriven_at"] = "2999-01-01T00:00:00Z"
    answers.append((200, {}, json.dumps({"dead_letters": [letter, waits], "next_cursor": None}).encode()))
    done = CliRunner().invoke(
        main, ["events", "dead-letters", "list"], env={"HAL9_URL": url, "HAL9_API_KEY": "hal9_x", "COLUMNS": "80"}
    )
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines == [
        f"{letter['id']}  ai.hal9.codegen.project.requested",
        "    for neuron-l4-step-requested: 503, 2 times, last 2026-01-02 03:04:05",
        "    sent again 2026-01-01 00:00:00",
        f"{waits['id']}  ai.hal9.codegen.project.requested",
        "    for unknown: no answer, 2026-01-02 03:04:05",
        "    is sent again 2999-01-01 00:00:00",
    ]


def test_a_wait_is_shown(flaky: Any) -> None:
    url, answers, _ = flaky
    answers += [problem("cache-unavailable", 503, **{"Retry-After": "1"}), PAGE]
    done = CliRunner().invoke(main, ["keys", "list"], env={"HAL9_URL": url, "HAL9_API_KEY": "hal9_x"})
    assert (done.exit_code, done.stderr.startswith("Waiting ")) == (0, True)
    assert done.stderr.endswith("s to try again: t (503). d\n")
