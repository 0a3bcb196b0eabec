"""What untrusted code in the sandbox can do: nothing but read what it was given and write to its own folder."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.codegen.sandbox import Isolation, Limits, Outcome, Plan, interpreter_paths, run

PYTHON = str(Path(sys.executable).resolve())
WALLS: tuple[Isolation, ...] = ("namespaces", "landlock", "process-group")
ALL = pytest.mark.parametrize("walls", WALLS)
STRONG = pytest.mark.parametrize("walls", WALLS[:2])


def namespaces_allowed() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Plan(("/bin/true",), Path(folder)))).isolation == "namespaces"


@pytest.fixture
def project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hal9-test-") as folder:
        yield Path(folder)


async def python(project: Path, code: str, walls: Isolation = "namespaces", *, limits: Limits | None = None) -> Outcome:
    plan = Plan(
        (PYTHON, "-I", "-c", code), project, interpreter_paths(), {"LANG": "C.UTF-8"}, limits or Limits(), walls
    )
    return await run(plan)


async def test_what_comes_out_is_text_that_a_database_holds(project: Path) -> None:
    outcome = await python(project, "import sys; sys.stdout.buffer.write(b'a\\0b\\xffc')")
    assert outcome.output == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def running(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
    return [pid for pid in found if int(pid) != os.getpid()]


async def gone(mark: str) -> bool:
    for _ in range(200):
        if not running(mark):
            return True
        await asyncio.sleep(0.02)
    return False


def test_this_kernel_allows_the_strong_walls() -> None:
    """The tests of namespaces below would prove nothing where the kernel refuses them: then this says so."""
    if not namespaces_allowed():
        pytest.skip("this kernel refuses unprivileged user namespaces; only the weaker walls are tested here")
    assert namespaces_allowed()


@ALL
async def test_it_runs_and_says_how_it_ended(project: Path, walls: Isolation) -> None:
    outcome = await python(project, "print('hello'); raise SystemExit(7)", walls)
    assert (outcome.code, outcome.output, outcome.timed_out) == (7, "hello\n", False)


@ALL
async def test_it_may_write_its_project(project: Path, walls: Isolation) -> None:
    outcome = await python(project, "open('made', 'w').write('x')", walls)
    assert outcome.code == 0
    assert (project / "made").read_text() == "x"


@ALL
async def test_the_environment_is_scrubbed(project: Path, walls: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAL9_SHARDS", "postgresql://secret")
    outcome = await python(project, "import os; print(sorted(os.environ))", walls)
    assert "HAL9" not in outcome.output
    assert "LANG" in outcome.output


@STRONG
async def test_the_walls_are_those_that_were_asked_for(project: Path, walls: Isolation) -> None:
    assert (await python(project, "", walls)).isolation == walls


@STRONG
async def test_it_reads_nothing_but_what_it_was_given(project: Path, tmp_path: Path, walls: Isolation) -> None:
    secret = tmp_path / "key.json"
    secret.write_text("secret")
    code = (
        f"import os\nfor path in ({str(secret)!r}, '/etc/hostname', '/proc/{os.getpid()}/environ', '/sys/kernel'):\n"
        "    try:\n        print(os.listdir(path) if os.path.isdir(path) else open(path).read())\n"
        "    except OSError as e:\n        print('refused')"
    )
    assert (await python(project, code, walls)).output == "refused\n" * 4


@STRONG
async def test_it_touches_no_other_process(project: Path, walls: Isolation) -> None:
    """Neither by signals nor by reading memory; 101 and 310 are ptrace and process_vm_readv of x86-64."""
    code = (
        "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n"
        f"try:\n    os.kill({os.getpid()}, 0)\n    print('alive')\nexcept OSError:\n    print('refused')\n"
        f"print(c.ptrace(16, {os.getpid()}, None, None))"
    )
    assert (await python(project, code, walls)).output == "refused\n-1\n"


async def test_behind_landlock_it_opens_no_socket_but_a_pair(project: Path) -> None:
    code = (
        "import asyncio, socket\nfor family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):\n"
        "    try:\n        socket.socket(family, socket.SOCK_DGRAM)\n        print('open')\n"
        "    except OSError as e:\n        print(e.errno)\n"
        "asyncio.run(asyncio.sleep(0))\nsocket.socketpair()\nprint('paired')"
    )
    assert (await python(project, code, "landlock")).output == "1\n" * 4 + "paired\n"


async def test_behind_landlock_there_is_a_temporary_folder(project: Path) -> None:
    theirs = f"{tempfile.gettempdir()}/hal9-root-"
    code = f"import tempfile; f = tempfile.NamedTemporaryFile(); print(f.name.startswith({theirs!r}))"
    assert (await python(project, code, "landlock")).output == "True\n"


async def test_it_sees_nothing_but_what_it_was_given(project: Path, tmp_path: Path) -> None:
    secret = tmp_path / "key.json"
    secret.write_text("secret")
    code = (
        f"import os; print(os.path.exists({str(secret)!r}), os.path.exists('/home'), os.path.exists('/sys'), "
        "len(os.listdir('/tmp')) < 3)"
    )
    outcome = await python(project, code)
    assert outcome.isolation == "namespaces"
    assert outcome.output == "False False False True\n"


async def test_it_cannot_reach_a_socket_of_the_platform(project: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = f"{folder}/broker.sock"
        server.bind(path)
        server.listen()
        code = (
            "import socket; s = socket.socket(socket.AF_UNIX)\n"
            f"try:\n    s.connect({path!r})\nexcept OSError as e:\n    print(e.errno)"
        )
        outcome = await python(project, code)
    assert outcome.output == "2\n"


async def test_it_has_no_network(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            f"import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port}), 2)\n"
            "except OSError as e:\n    print(type(e).__name__)"
        )
        outcome = await python(project, code)
    assert outcome.output == "ConnectionRefusedError\n"


async def test_it_has_a_loopback_of_its_own(project: Path) -> None:
    code = (
        "import socket; a = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(a.getsockname()); print('yes')"
    )
    assert (await python(project, code)).output == "yes\n"


@STRONG
@pytest.mark.parametrize("path", ["/usr/x", "/bin/x", "/x", "/etc/x", "/dev/x"])
async def test_it_cannot_write_elsewhere(project: Path, path: str, walls: Isolation) -> None:
    code = f"try:\n    open({path!r}, 'w')\nexcept OSError:\n    print('refused')"
    outcome = await python(project, code, walls)
    assert outcome.output == "refused\n"


async def test_it_is_nobody_and_stays_so(project: Path) -> None:
    code = (
        "import ctypes, os; c = ctypes.CDLL(None, use_errno=True)\n"
        "print(os.getuid() != 0, c.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None), c.setuid(0), "
        "open('/proc/self/status').read().count('NoNewPrivs:\\t1'))"
    )
    assert (await python(project, code)).output == "True -1 -1 1\n"


@ALL
async def test_memory_is_bounded(project: Path, walls: Isolation) -> None:
    limits = Limits(memory_bytes=256 << 20)
    outcome = await python(project, "bytearray(1 << 30)", walls, limits=limits)
    assert outcome.code == 1
    assert "MemoryError" in outcome.output


@ALL
async def test_files_are_bounded(project: Path, walls: Isolation) -> None:
    outcome = await python(project, "open('big', 'wb').write(bytes(2 << 20))", walls, limits=Limits(file_bytes=1 << 20))
    assert outcome.code != 0
    assert (project / "big").stat().st_size <= 1 << 20


@ALL
async def test_output_is_kept_up_to_a_bound_and_drained_beyond(project: Path, walls: Isolation) -> None:
    limits = Limits(output_bytes=1000)
    outcome = await python(project, "print('x' * 5_000_000)", walls, limits=limits)
    assert (outcome.code, len(outcome.output)) == (0, 1000)


async def test_a_fork_bomb_ends_at_the_bound(project: Path) -> None:
    code = (
        "import os, signal\nn = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            signal.pause()\n"
        "        n += 1\nexcept OSError:\n    print(n < 64)\n"
    )
    outcome = await python(project, code, limits=Limits(processes=32, wall_seconds=20))
    assert outcome.output == "True\n"


@ALL
async def test_it_ends_in_time_and_leaves_no_process(project: Path, walls: Isolation) -> None:
    mark = f"mark-{uuid.uuid4()}"
    command = ("/bin/sh", "-c", f"(setsid sh -c 'sleep 600; : {mark}' &); sleep 600; : {mark}")
    outcome = await run(Plan(command, project, limits=Limits(wall_seconds=0.5), strongest=walls))
    assert (outcome.timed_out, outcome.code) == (True, 137)
    assert await gone(mark)


@ALL
async def test_its_pipe_is_closed_though_it_never_stops_talking(project: Path, walls: Isolation) -> None:
    plan = Plan(("/usr/bin/yes",), project, limits=Limits(wall_seconds=0.5, output_bytes=1000), strongest=walls)
    outcome = await run(plan)
    assert (outcome.timed_out, len(outcome.output)) == (True, 1000)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        gc.collect()
    assert not said


@ALL
async def test_what_it_left_behind_is_ended_with_it(project: Path, walls: Isolation) -> None:
    mark = f"mark-{uuid.uuid4()}"
    command = ("/bin/sh", "-c", f"(setsid sh -c 'sleep 600; : {mark}' > /dev/null 2>&1 &); echo done")
    outcome = await run(Plan(command, project, strongest=walls))
    assert outcome.output == "done\n"
    assert await gone(mark)


@ALL
async def test_cancelling_ends_it(project: Path, walls: Isolation) -> None:
    mark = f"mark-{uuid.uuid4()}"
    command = ("/bin/sh", "-c", f"touch started; sleep 600; : {mark}")
    task = asyncio.ensure_future(run(Plan(command, project, strongest=walls)))
    while not (project / "started").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await gone(mark)


async def test_a_command_that_is_not_there_is_said_so(project: Path) -> None:
    outcome = await run(Plan(("/usr/bin/nothing-here",), project))
    assert outcome.code == 127
    assert "cannot be started" in outcome.output


async def test_what_is_to_be_read_may_lie_in_the_temporary_folder(project: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho from $0\n")
    (tmp_path / "tool").chmod(0o755)
    outcome = await run(Plan((str(tmp_path / "tool"),), project, (tmp_path,)))
    assert outcome.output == f"from {tmp_path}/tool\n"
