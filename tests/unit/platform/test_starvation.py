"""Whether a silent server lacks only a processor, over a folder that says what the kernel would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from knative.platform.starvation import Heard, Processors

if TYPE_CHECKING:
    from pathlib import Path

SERVER, CHILD, NEW = 4_000_001, 4_000_002, 4_000_003


def process(proc: Path, pid: int, *, state: str = "S", waited: float = 0.0, children: tuple[int, ...] = ()) -> None:
    """Let the folder tell of a process."""
    folder = proc / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
    (folder / "task" / str(pid) / "children").write_text(" ".join(map(str, children)))
    (folder / "stat").write_text(f"{pid} (a (b) c) {state} 1 " + "0 " * 30)
    (folder / "schedstat").write_text(f"5 {int(waited * 1e9)} 7\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A server that waited for 100 s in all, with one child, when it was heard."""
    process(tmp_path, SERVER, waited=100.0, children=(CHILD,))
    process(tmp_path, CHILD, waited=50.0)
    process(tmp_path, os.getpid(), waited=10.0)
    return tmp_path


def test_who_waited_for_most_of_the_silence_is_starved(proc: Path) -> None:
    processors = Processors(proc)
    heard = processors.heard(SERVER)
    assert heard == Heard((100.0, 10.0), frozenset({CHILD}))
    process(proc, SERVER, waited=102.4, children=(CHILD,))
    assert not processors.starved(SERVER, heard, 5.0)
    process(proc, SERVER, waited=102.5, children=(CHILD,))
    assert processors.starved(SERVER, heard, 5.0)


def test_who_asks_may_be_starved_itself(proc: Path) -> None:
    processors = Processors(proc)
    heard = processors.heard(SERVER)
    process(proc, os.getpid(), waited=13.0)
    assert processors.starved(SERVER, heard, 5.0)
    assert not processors.starved(SERVER, heard, 7.0)


@pytest.mark.parametrize(("state", "waited"), [("R", 0.0), ("S", 3.0)])
def test_what_was_started_for_an_answer_may_be_starved(proc: Path, state: str, waited: float) -> None:
    processors = Processors(proc)
    heard = processors.heard(SERVER)
    process(proc, SERVER, waited=100.0, children=(CHILD, NEW))
    process(proc, NEW, state=state, waited=waited)
    assert processors.starved(SERVER, heard, 5.0)


def test_what_works_for_others_says_nothing_of_an_answer(proc: Path) -> None:
    processors = Processors(proc)
    heard = processors.heard(SERVER)
    process(proc, CHILD, state="R", waited=90.0)
    assert not processors.starved(SERVER, heard, 5.0)


@pytest.mark.parametrize("state", ["T", "t"])
def test_what_is_stopped_is_not_starved_whatever_it_started_before(proc: Path, state: str) -> None:
    processors = Processors(proc)
    heard = processors.heard(SERVER)
    process(proc, SERVER, state=state, waited=100.0, children=(CHILD, NEW))
    process(proc, NEW, state="R", waited=5.0)
    assert not processors.starved(SERVER, heard, 5.0)


def test_where_the_kernel_counts_no_waits_nobody_is_starved(tmp_path: Path) -> None:
    processors = Processors(tmp_path)
    assert not processors.starved(SERVER, processors.heard(SERVER), 5.0)


def test_this_machine_s_kernel_tells_who_could_run_from_who_is_stopped() -> None:
    program = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            processors = Processors()
            heard = processors.heard(busy.pid)
            assert processors.starved(busy.pid, heard, 1e9)
            busy.send_signal(signal.SIGSTOP)
            os.waitpid(busy.pid, os.WUNTRACED)
            assert not processors.starved(busy.pid, heard, 1e9)
        finally:
            busy.kill()
