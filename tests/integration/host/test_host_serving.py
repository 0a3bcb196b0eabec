"""What a well-behaved client sees: keep-alive, admission, deadlines, streams, disconnects, drain, readiness."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from knative.host.settings import HostSettings
from shared.settings import load

if TYPE_CHECKING:
    from conftest import Host

TRACE = "0af7651916cd43dd8448eb211c80319c"


def until(condition: Any, seconds: float = 20.0) -> Any:
    """Poll a condition until it holds."""
    waiting = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if found := condition():
            return found
        waiting.wait(0.005)
    raise AssertionError("the condition did not come true")


def read_head(connection: socket.socket) -> bytes:
    """Read until the empty line."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        assert piece, got
        got += piece
    return got


def begin_waiting(host: Host, name: Path) -> socket.socket:
    """Start a request that waits for a file."""
    connection: socket.socket = host.connect()
    connection.sendall(f"POST /wait?name={name} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    until(Path(f"{name}.began").exists)
    return connection


def metric(host: Host, name: str) -> float:
    """Read one metric without labels."""
    text = host.request("GET", "/metrics").body.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def test_a_connection_is_kept_and_idles_for_longer_than_the_proxy_in_front_keeps_it(echo: Host) -> None:
    assert load(HostSettings, {}).idle_seconds > 90
    connection = echo.connect()
    for number in range(3):
        connection.sendall(f"GET /things/{number} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert read_head(connection).endswith(f"\r\n\r\n{number}".encode())


def test_the_start_is_told_once_by_phases_that_sum_up_to_it(echo: Host) -> None:
    for _ in range(3):
        assert echo.request("GET", "/healthz/ready").status == 200
    lines = [json.loads(line) for line in echo.log.read_text().splitlines() if line.startswith("{")]
    (said,) = [line for line in lines if line["message"] == "ready"]
    phases = {name: said[name] for name in ("interpreter", "imports", "open", "unasked", "pools")}
    assert sum(phases.values()) == pytest.approx(said["seconds"], abs=0.001)
    assert 0 < phases["imports"] < said["seconds"]
    text = echo.request("GET", "/metrics").body.decode()
    for name, seconds in phases.items():
        assert metric_of(text, f'hal9_host_start_seconds{{phase="{name}"}}') == pytest.approx(seconds, abs=0.001)


def metric_of(text: str, series: str) -> float:
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{series} "))


def test_idle_connections_are_closed(hosts: Any) -> None:
    host = hosts(HAL9_HOST_IDLE_SECONDS="0.3")
    connection = host.connect()
    assert connection.recv(10) == b""
    connection = host.connect()
    connection.sendall(b"GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n")
    read_head(connection)
    assert connection.recv(10) == b""


def test_http_1_0_is_answered_and_closed_unless_it_asks(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"GET /parts HTTP/1.0\r\n\r\n")
    got = b""
    while piece := connection.recv(65536):
        got += piece
    assert got.endswith(b"\r\n\r\npart 0\npart 1\npart 2\npart 3\npart 4\n")
    assert b"chunked" not in got
    connection = echo.connect()
    for _ in range(2):
        connection.sendall(b"GET /things/1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert b"connection: keep-alive" in read_head(connection)


def test_head_has_the_header_of_get_and_no_body(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"HEAD /things/123 HTTP/1.1\r\nhost: x\r\n\r\nGET /things/4 HTTP/1.1\r\nhost: x\r\n\r\n")
    got = b""
    while not got.endswith(b"\r\n\r\n4"):
        got += connection.recv(65536)
    assert b"content-length: 3\r\n" in got
    assert b"123" not in got


def test_unknown_paths_and_methods(echo: Host) -> None:
    assert echo.request("GET", "/nowhere").slug == "route-unknown"
    answer = echo.request("DELETE", "/things/1")
    assert (answer.status, answer.slug, answer.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD")
    assert echo.request("POST", "/healthz/live").status == 405


def test_the_query_is_checked(echo: Host) -> None:
    answer = echo.json("POST", "/v1/echo?limit=1&tag=a&tag=b", {"text": "a", "more": [1, 2]})
    assert (answer.status, answer.body) == (200, b'{"text":"a","times":1,"more":[1]}')
    answer = echo.json("POST", "/v1/echo?limit=0&other=1&limit=2", {"text": "a"})
    assert answer.slug == "query-invalid"
    assert {fault["pointer"] for fault in answer.problem["errors"]} == {"/limit", "/other"}


def test_more_than_fits_is_refused_and_the_rest_waits_its_turn(hosts: Any, tmp_path: Path) -> None:
    host = hosts()  # 4 at once, 2 wait
    with ThreadPoolExecutor(16) as pool:
        running = [begin_waiting(host, tmp_path / f"{number}") for number in range(4)]
        names = [tmp_path / f"{number}" for number in range(4, 6)]
        waiting = [host.connect() for _ in names]
        for connection, name in zip(waiting, names, strict=True):
            connection.sendall(f"POST /wait?name={name} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        until(lambda: metric(host, "hal9_http_waiting") == 2)
        refused = list(pool.map(lambda _: host.request("GET", "/things/1"), range(8)))
        assert {answer.slug for answer in refused} == {"overloaded"}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert host.request("GET", "/healthz/ready").status == 200  # health never waits
        assert not any(Path(f"{name}.began").exists() for name in names)
        for number in range(6):
            (tmp_path / f"{number}.go").touch()
        assert all(read_head(connection).startswith(b"HTTP/1.1 200") for connection in [*running, *waiting])
    assert metric(host, "hal9_http_running") == 0
    assert host.request("GET", "/things/1").status == 200


def test_a_client_that_leaves_the_queue_takes_no_slot(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    running = [begin_waiting(host, tmp_path / f"{number}") for number in range(4)]
    leaver = host.connect()
    leaver.sendall(f"POST /wait?name={tmp_path / 'leaver'} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    until(lambda: metric(host, "hal9_http_waiting") == 1)
    leaver.close()
    for number in range(4):
        (tmp_path / f"{number}.go").touch()
    for connection in running:
        read_head(connection)
    until(lambda: metric(host, "hal9_http_running") == 0)
    assert not (tmp_path / "leaver.began").exists()


def test_work_goes_on_when_its_client_leaves_and_its_slot_is_free_at_the_end(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    begin_waiting(host, tmp_path / "a").close()
    until(lambda: metric(host, "hal9_http_running") == 1)
    (tmp_path / "a.go").touch()
    until((tmp_path / "a.done").exists)
    until(lambda: metric(host, "hal9_http_running") == 0)


def test_work_goes_on_when_the_connection_is_reset(hosts: Any, tmp_path: Path) -> None:
    host = hosts.tcp()
    address = next(line["address"] for line in host.lines() if line["message"] == "listening")
    connection = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 20)
    connection.sendall(f"POST /wait?name={tmp_path / 'a'} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    until((tmp_path / "a.began").exists)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()  # a reset: the host learns of it at once
    (tmp_path / "a.go").touch()
    until((tmp_path / "a.done").exists)


def test_a_stream_outlives_the_deadline_of_its_request(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"GET /ticks HTTP/1.1\r\nhost: x\r\nhal9-timeout: 0.2\r\n\r\n")
    got = b""
    while b"id: 80\n" not in got:  # one each 10 ms
        piece = connection.recv(65536)
        assert piece, got[-100:]
        got += piece


def test_the_deadline_is_504_and_ends_the_work(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    answer = host.request("POST", f"/wait?name={tmp_path / 'a'}", headers={"hal9-timeout": "0.05"})
    assert (answer.status, answer.slug) == (504, "deadline-exceeded")
    assert metric(host, "hal9_http_running") == 0
    assert host.request("GET", "/context", headers={"hal9-timeout": "nonsense"}).body.endswith(b" True")


def test_time_in_the_queue_counts_for_the_deadline(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    for number in range(4):
        begin_waiting(host, tmp_path / f"{number}")
    assert host.request("GET", "/things/1", headers={"hal9-timeout": "0.05"}).status == 504
    assert metric(host, "hal9_http_waiting") == 0


def test_a_stream_has_no_deadline_and_no_slot_and_ends_with_its_client(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    connections = []
    for number in range(6):  # more than slots and queue
        connection = host.connect()
        connection.sendall(f"GET /ticks?name={tmp_path / str(number)} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        connections.append(connection)
        assert b"chunked" in read_head(connection)
    connections[0].sendall(b"")
    assert b"data: None" in connections[0].recv(1000) + connections[0].recv(1000)
    assert metric(host, "hal9_http_running") == 0
    for connection in connections:
        connection.close()
    for number in range(6):
        until((tmp_path / f"{number}.closed").exists)
    until(lambda: metric(host, "hal9_http_streams") == 0)


def test_streams_are_bounded(hosts: Any) -> None:
    host = hosts(HAL9_HOST_STREAMS="1")
    connection = host.connect()
    connection.sendall(b"GET /ticks HTTP/1.1\r\nhost: x\r\n\r\n")
    read_head(connection)
    assert host.request("GET", "/ticks").slug == "overloaded"


def test_a_client_that_takes_nothing_holds_back_the_stream_and_is_cut_off(hosts: Any, tmp_path: Path) -> None:
    host = hosts(HAL9_HOST_WRITE_SECONDS="0.2")
    connection = host.connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(f"GET /flood?name={tmp_path / 'a'} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    until((tmp_path / "a.closed").exists)
    assert host.vm_hwm_bytes() < 64 << 20


def test_connections_are_bounded(hosts: Any) -> None:
    host = hosts(HAL9_HOST_CONNECTIONS="3")
    kept = [host.connect() for _ in range(3)]
    for connection in kept:
        connection.sendall(b"GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n")
        read_head(connection)
    assert b" 503 " in read_head(host.connect())
    kept[0].close()
    until(lambda: host.request("GET", "/things/1").status == 200)


def test_drain_finishes_what_runs_refuses_what_is_new_and_exits_0(hosts: Any, tmp_path: Path) -> None:
    host = hosts()
    idle = host.connect()
    idle.sendall(b"GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n")
    read_head(idle)
    running = begin_waiting(host, tmp_path / "a")
    stream = host.connect()
    stream.sendall(b"GET /ticks HTTP/1.1\r\nhost: x\r\n\r\n")
    read_head(stream)
    host.process.send_signal(signal.SIGTERM)
    until(lambda: any(line["message"] == "draining" for line in host.lines()))
    answer = host.request("GET", "/things/1")
    assert (answer.status, answer.slug, answer.headers["connection"]) == (503, "draining", "close")
    assert answer.headers["retry-after"] == "1"
    assert host.request("GET", "/healthz/ready").status == 503
    assert host.request("GET", "/healthz/live").status == 200
    idle.sendall(b"GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n")
    assert read_head(idle).startswith(b"HTTP/1.1 503")
    got = b""
    while piece := stream.recv(65536):
        got += piece
    assert got.endswith(b"0\r\n\r\n")  # the client sees a proper end and comes again elsewhere
    (tmp_path / "a.go").touch()
    head = read_head(running)
    assert head.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in head
    assert host.process.wait(10) == 0
    assert (tmp_path / "a.done").exists()


def test_what_outlives_the_grace_time_is_refused_and_the_exit_is_still_0(hosts: Any, tmp_path: Path) -> None:
    host = hosts()  # grace 6 s
    running = begin_waiting(host, tmp_path / "a")
    host.process.send_signal(signal.SIGTERM)
    assert read_head(running).startswith(b"HTTP/1.1 503")
    assert host.process.wait(10) == 0
    assert any(line["message"] == "grace time is over" for line in host.lines())


def test_sigterm_before_it_serves_ends_it(hosts: Any) -> None:
    host = hosts(wait=False)
    until(lambda: (Path("/proc") / str(host.process.pid) / "maps").read_text().count("_signal") >= 0)
    assert host.stop() in {0, -signal.SIGTERM}


def test_readiness_follows_what_is_needed(hosts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "needy"
    folder.mkdir()
    (folder / "function.toml").write_text('name = "needy"\ndescription = "x"\n')
    (folder / "main.py").write_text(
        "import os\n"
        "from shared.function import Function\n"
        "class Resources:\n"
        "    async def open(self): open(os.environ['MARK'] + '.open', 'w').close()\n"
        "    async def check(self):\n"
        "        if not os.path.exists(os.environ['MARK'] + '.up'): raise ConnectionError('secret-host is down')\n"
        "    async def close(self): open(os.environ['MARK'] + '.close', 'w').close()\n"
        "function = Function('needy', [], resources=Resources)\n"
        "handle = function.handle\n"
    )
    host = hosts(folder, MARK=str(tmp_path / "mark"))
    answer = host.request("GET", "/healthz/ready")
    assert (answer.status, answer.slug) == (503, "not-ready")
    assert b"secret-host" not in answer.body
    assert b'"reason"' not in answer.body
    assert host.request("GET", "/healthz/live").status == 200
    (tmp_path / "mark.up").touch()
    assert host.request("GET", "/healthz/ready").status == 200
    assert (tmp_path / "mark.open").exists()
    assert host.stop() == 0
    assert (tmp_path / "mark.close").exists()


def test_what_is_needed_is_connected_to_before_anybody_asks(hosts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "warm"
    folder.mkdir()
    (folder / "function.toml").write_text('name = "warm"\ndescription = "x"\n')
    (folder / "main.py").write_text(
        "import os\n"
        "from shared.function import Function, NoResources\n"
        "class Resources(NoResources):\n"
        "    async def check(self): open(os.environ['MARK'], 'w').close()\n"
        "function = Function('warm', [], resources=Resources)\n"
        "handle = function.handle\n"
    )
    host = hosts(folder, wait=False, MARK=str(tmp_path / "mark"))
    until((tmp_path / "mark").exists)
    assert host.stop() == 0


def test_a_function_whose_database_is_away_lives_but_is_not_ready(
    hosts: Any, function_environment: dict[str, str]
) -> None:
    folder = Path(__file__).resolve().parents[3] / "functions" / "upkeep"
    away = function_environment["HAL9_SHARDS"].replace("port=", "port=1")
    host = hosts(folder, **function_environment | {"HAL9_SHARDS": away})
    answer = host.request("GET", "/healthz/ready")
    assert (answer.status, answer.slug) == (503, "not-ready")
    assert b"sock" not in answer.body
    assert b'"reason":"A database does not answer. ' in answer.body
    assert host.request("GET", "/healthz/live").status == 200
    assert host.stop() == 0
    host = hosts(folder, **function_environment)
    until(lambda: host.request("GET", "/healthz/ready").status == 200)


def test_a_deployment_has_its_environment(hosts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    folder.mkdir()
    (folder / "function.toml").write_text(
        'name = "twice"\ndescription = "x"\n'
        '[[deployments]]\nname = "a"\nroutes = true\n[[deployments]]\nname = "b"\nenvironment = { WHO = "b" }\n'
    )
    (folder / "main.py").write_text(
        "import os\nfrom starlette.responses import Response\n"
        "async def handle(request): return Response(os.environ.get('WHO', 'nobody'))\n"
    )
    assert hosts(folder, "--deployment", "b").request("GET", "/").body == b"b"
    assert hosts(folder).request("GET", "/").body == b"nobody"
    wrong = hosts(folder, "--deployment", "c", wait=False)
    assert wrong.process.wait(30) == 2
    assert "it has a, b" in wrong.log.read_text()


def test_a_function_that_cannot_be_imported_is_exit_1_and_logged(hosts: Any, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "function.toml").write_text('name = "broken"\ndescription = "x"\n')
    (folder / "main.py").write_text("raise RuntimeError('no')\n")
    host = hosts(folder, wait=False)
    assert host.process.wait(30) == 1
    assert host.lines()[-1]["message"] == "the function cannot be served"


def test_metrics_are_what_prometheus_reads(echo: Host) -> None:
    echo.request("GET", "/things/1")
    answer = echo.request("GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert families["hal9_http_request_seconds"].type == "histogram"
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["hal9_http_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counted["/things/{thing_id}", "200"] >= 1
    assert families["process_cpu_seconds"].samples[0].value > 0


def test_the_trace_goes_on_and_logs_name_it_with_the_organisation(echo: Host) -> None:
    answer = echo.request("GET", "/context", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    context, in_time = answer.body.decode().split()
    assert (context[:36], in_time) == (f"00-{TRACE}-", "True")
    assert "b7ad6b7169203331" not in context
    (line,) = [line for line in echo.lines() if line.get("trace_id") == TRACE and line["message"] == "told"]
    assert line["organisation"] == "0198c0de-0000-7000-8000-000000000001"
    assert (line["function"], line["deployment"]) == ("echo", "echo")
    assert line["api_key"] == "[hidden]"
    assert "ttt" not in line["text"]


@pytest.mark.parametrize("header", ["", "nonsense", f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{'0' * 32}-{'1' * 16}-01"])
def test_a_malformed_trace_begins_a_new_one(echo: Host, header: str) -> None:
    context = echo.request("GET", "/context", headers={"traceparent": header}).body.decode()
    assert len(context.split("-")[1]) == 32
    assert TRACE not in context


def test_tcp_is_served_as_well(hosts: Any) -> None:
    host = hosts.tcp()
    address = next(line["address"] for line in host.lines() if line["message"] == "listening")
    with contextlib.closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)) as connection:
        connection.request("GET", "/things/tcp")
        assert connection.getresponse().read() == b"tcp"


def test_the_socket_is_this_users_only(echo: Host) -> None:
    assert echo.path.stat().st_mode & 0o777 == 0o600
