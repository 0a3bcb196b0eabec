"""A platform's life as its user sees it: up, status, logs, down, and what stands in the way."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from knative.platform import home as home_module
from knative.platform import processes
from knative.platform.home import Home, HomeError
from tests.platform_fixture import RunningPlatform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from knative.platform.servers import Servers


@pytest.fixture(scope="module")
def small(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    made = platforms(HAL9_TEST_SECRET="hush", HAL9_API_KEY="not yours", AWS_SECRET_ACCESS_KEY="nor this")
    made.up()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_ready_when_up_returns(small: RunningPlatform) -> None:
    assert httpx.get(f"{small.url}/who", timeout=10).status_code == 200


def test_what_is_secret_is_readable_by_its_owner_only(small: RunningPlatform) -> None:
    assert mode(small.home) == 0o700
    assert mode(small.run) == 0o700
    for name in ("state.json", "credentials.json"):
        assert mode(small.home / name) == 0o600
    for key in (small.home / "keys").glob("*.json"):
        assert mode(key) == (0o644 if key.name == "trust.json" else 0o600)


def test_state_and_credentials_say_what_others_need(small: RunningPlatform) -> None:
    state = small.state
    assert state["url"] == small.url == f"http://127.0.0.1:{state['port']}"
    assert len(state["shards"]) == len(state["shards_admin"]) == 3
    assert small.credentials["api_key"].startswith("hal9_")
    assert len(small.credentials["organisation"]) == 36


def test_a_functions_environment_is_built_from_scratch(small: RunningPlatform) -> None:
    seen = httpx.get(f"{small.url}/who", timeout=10).json()["environment"]
    assert "HAL9_TEST_SECRET" not in seen  # the worker declared it
    assert "HAL9_SHARDS" not in seen  # the small gateway needs no database
    assert not {"HAL9_API_KEY", "AWS_SECRET_ACCESS_KEY", "HAL9_SHARDS_ADMIN", "PYTHONDONTWRITEBYTECODE"} & seen.keys()
    assert seen["HAL9_IDENTITY_KEY"].endswith("/keys/gateway.json")
    assert httpx.get(f"{small.url}/work", timeout=10).json()["secret"] == "hush"


def test_status_names_everything_that_runs(small: RunningPlatform) -> None:
    found = small.status()
    assert found["running"] is True
    assert {"postgres-0", "postgres-1", "postgres-2", "valkey"} == found["servers"].keys()
    assert found["functions"]["gateway"]["ready"] == 1
    assert found["broker"]["queued"] >= 0
    assert set(small.processes()) >= {
        pid for name in found["pids"] if name != "functions" for pid in small.pids(name)
    } - {found["supervisor"]["pid"]}
    assert "gateway" in small.hal9("status").stdout


def test_memory_of_an_idle_platform_is_bounded(small: RunningPlatform) -> None:
    found = small.status()
    assert found["memory_bytes"] < 450 * 2**20
    assert sum(server["memory_bytes"] for server in found["servers"].values()) < 90 * 2**20
    assert all(one["memory_bytes"] < 64 * 2**20 for one in found["functions"]["gateway"]["instances"])


def test_memory_of_the_projects_own_functions_is_bounded(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms(functions=None)
    one.up()
    found = one.status()
    assert found["memory_bytes"] < 450 * 2**20
    assert sum(server["memory_bytes"] for server in found["servers"].values()) < 90 * 2**20
    assert [i["memory_bytes"] < 64 * 2**20 for i in found["functions"]["gateway"]["instances"]] == [True]
    assert {about["ready"] for name, about in found["functions"].items() if about["scale"]["min"] == 0} <= {0, 1}
    one.down()
    assert one.processes() == []


def test_logs_are_shown_one_by_one_and_together(small: RunningPlatform) -> None:
    lines = [json.loads(line) for line in small.hal9("logs", "gateway", "--json").stdout.splitlines()]
    assert any(line["message"] == "listening" and line["log"] == "gateway" for line in lines)
    assert "supervisor" in small.hal9("logs").stdout
    refused = small.hal9("logs", "nobody", check=False)
    assert refused.returncode == 1
    assert "gateway" in refused.stderr


def test_up_again_says_that_it_runs(small: RunningPlatform) -> None:
    before = small.pids("supervisor")
    told = json.loads(small.hal9("up", "--json").stdout)
    assert (told["already"], told["url"]) == (True, small.url)
    assert small.pids("supervisor") == before


def test_two_platforms_side_by_side(small: RunningPlatform, platforms: Callable[..., RunningPlatform]) -> None:
    other = platforms()
    other.up()
    assert other.url != small.url
    assert not set(other.processes()) & set(small.processes())
    other.down()
    assert other.processes() == []
    assert httpx.get(f"{small.url}/who", timeout=10).status_code == 200


def test_down_leaves_no_process_and_up_finds_everything_again(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    credentials = one.credentials
    httpx.get(f"{one.url}/work", timeout=20)
    supervisor = one.pids("supervisor")
    one.down()
    assert one.processes() == []
    assert [processes.started(pid) for pid in supervisor] == [None]
    assert one.hal9("status", check=False).returncode == 1
    assert json.loads(one.hal9("status", "--json", check=False).stdout)["running"] is False
    one.down()  # again: no error
    one.up()
    assert {**one.credentials, "url": ""} == {**credentials, "url": ""}
    one.down()


def test_a_long_path_gets_its_sockets_elsewhere(platforms: Callable[..., RunningPlatform], tmp_path: Path) -> None:
    one = RunningPlatform(tmp_path / ("long" * 30), platforms().functions)
    one.up()
    try:
        assert httpx.get(f"{one.url}/work", timeout=20).status_code == 200
        assert not one.run.is_relative_to(one.home)
        assert mode(one.run) == 0o700
    finally:
        one.down()
    assert not one.run.exists()


def test_a_path_with_spaces_and_letters_of_other_alphabets(
    platforms: Callable[..., RunningPlatform], tmp_path: Path
) -> None:
    one = RunningPlatform(tmp_path.parent / "a b é%20", platforms().functions)
    one.up()
    try:
        assert httpx.get(f"{one.url}/work", timeout=20).status_code == 200
    finally:
        one.down()


def refusal(one: RunningPlatform, *arguments: str, **environment: str) -> str:
    one.environment |= environment
    functions = ["--functions", str(one.functions)]
    done = one.hal9("up", *functions, *arguments, check=False)
    assert done.returncode == 1
    assert one.processes() == []
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("Error: ") for line in done.stderr.splitlines()) == 1
    return done.stderr


def test_a_port_in_use(platforms: Callable[..., RunningPlatform]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = platforms()
        said = refusal(one, "--port", str(port))
        told = one.hal9("up", "--port", str(port), "--json", check=False)
    assert f"Port {port}" in said
    assert "HAL9_PORT" in said
    assert (told.returncode, told.stderr) == (1, "")
    assert f"Port {port}" in json.loads(told.stdout)["problem"]["detail"]


def test_a_folder_that_cannot_be_used(platforms: Callable[..., RunningPlatform], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = RunningPlatform(tmp_path / "file" / "home", platforms().functions)
    said = refusal(one)
    assert str(one.home) in said
    assert "HAL9_HOME" in said


def test_a_folder_of_another_version(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.home.mkdir(parents=True)
    (one.home / "format").write_text("999\n")
    assert "made by another version" in refusal(one)


def test_a_data_folder_of_another_postgresql(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    one.down()
    (one.home / "servers" / "postgres-1" / "PG_VERSION").write_text("12\n")
    assert "PostgreSQL 12" in refusal(one)


def test_a_store_of_another_version(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    one.up()
    one.down()
    (one.home / "broker" / "broker.sqlite").write_bytes(b"no database at all" * 100)
    assert "move it away" in refusal(one)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(HomeError, match="is full: free at least"):
        Home.at(tmp_path / "home").make()


def test_a_disk_that_fills_later_is_told_by_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path / "home")
    home.make()
    assert home.fault() is None
    monkeypatch.setattr(home_module, "NEEDED_BYTES", 1 << 60)
    said = home.fault()
    assert said is not None
    assert str(home.path) in said
    assert "free at least" in said


def test_settings_and_switches_that_are_wrong(platforms: Callable[..., RunningPlatform]) -> None:
    assert "duplicate" in refusal(platforms(), "--hostile", "twice=yes")
    assert "HAL9_INSTANCES" in refusal(platforms(), HAL9_INSTANCES="many")
    assert "HAL9_SHARDS_ADMIN" in refusal(platforms(), HAL9_SHARDS="postgresql://somewhere/hal9")


def test_a_gateway_that_does_not_start_is_said_and_nothing_is_left(
    platforms: Callable[..., RunningPlatform], tmp_path: Path
) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "function.toml").write_text('name = "gateway"\ndescription = "x"\n')
    (tmp_path / "gateway" / "main.py").write_text("raise RuntimeError('broken')\n")
    assert "gateway" in refusal(platforms(functions=tmp_path))


def test_functions_that_are_wrong_are_named(platforms: Callable[..., RunningPlatform], tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "function.toml").write_text('name = "odd"\nwonders = true\n')
    assert "wonders" in platforms(functions=tmp_path).hal9("up", "--functions", str(tmp_path), check=False).stderr


def test_in_the_foreground_it_stops_with_its_command(platforms: Callable[..., RunningPlatform]) -> None:
    one = platforms()
    command = [sys.executable, "-m", "knative.cli.main", "up", "--foreground", "--functions", str(one.functions)]
    with subprocess.Popen(command, env=one.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert b"ready on" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
    assert one.processes() == []


def test_what_a_platform_that_runs_would_ignore_is_refused(small: RunningPlatform) -> None:
    port = small.state["port"]
    assert json.loads(small.hal9("up", "--port", str(port), "--json").stdout)["already"] is True
    assert json.loads(small.hal9("up", "--hostile", "duplicate=1", "--json").stdout)["already"] is True
    for option, value in (("--port", str(port - 1)), ("--hostile", "duplicate=3")):
        refused = small.hal9("up", option, value, "--json", check=False)
        assert refused.returncode == 1
        assert f"{option} {value} would be ignored" in json.loads(refused.stdout)["problem"]["detail"]
    nonsense = small.hal9("up", "--hostile", "nonsense=1", check=False)
    assert (nonsense.returncode, "duplicate" in nonsense.stderr) == (1, True)


def test_points_that_there_are_not_are_refused_and_the_others_named(platforms: Callable[..., RunningPlatform]) -> None:
    assert "step.claim.committed" in refusal(platforms(), HAL9_CHAOS_KILL="nope")
    assert "no NAME or NAME:PASS" in refusal(platforms(), HAL9_CHAOS_KILL="step.claim.committed:0")


def test_a_cache_of_somebody_else_that_does_not_answer(
    platforms: Callable[..., RunningPlatform], servers: Servers
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{nobody.getsockname()[1]}"
        said = refusal(platforms(), HAL9_CACHE_URL=f"redis://:hush@{place}")
        assert f"The cache at {place} does not answer" in said
        assert "hush" not in said
    one = platforms(HAL9_CACHE_URL=servers.cache_url)
    one.up()
    assert one.status()["cache"] == {"external": True, "fault": None}
    one.down()


def test_a_home_that_is_a_file(platforms: Callable[..., RunningPlatform], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in ("file", "file/below"):
        said = refusal(RunningPlatform(tmp_path / home, platforms().functions))
        assert f"{tmp_path / 'file'} is a file" in said


def test_ctrl_c_while_it_starts_is_said_and_works_in_a_scripts_background(
    platforms: Callable[..., RunningPlatform],
) -> None:
    one = platforms()
    command = [sys.executable, "-m", "knative.cli.main", "up", "--foreground", "--functions", str(one.functions)]
    background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
    with subprocess.Popen(background, env=one.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        watchdog = threading.Timer(60, process.terminate)
        watchdog.start()
        said += process.stderr.read()
        watchdog.cancel()
    assert process.returncode == 130
    assert "Interrupted while it was starting" in said
    assert one.processes() == []
