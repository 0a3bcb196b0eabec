"""`make run`, as someone types it who has just cloned the project: it ends with a verified project, and on Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from knative.cli import samples
from tests.platform_fixture import RunningPlatform

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "knative.cli.main", "demo", "--out"]


def interrupted_at(line: str, command: list[str], platform: RunningPlatform) -> tuple[int, str]:
    """Run a command, and Ctrl-C it when it says something; give its exit code and all that it said."""
    environment = {**platform.environment, "HOME": str(platform.home.parent), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(500, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        said = ""
        for one in process.stdout:
            said += one
            if line in one:
                os.killpg(process.pid, signal.SIGINT)
        watchdog.cancel()
    return process.returncode, said


@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
def test_make_run_leaves_a_verified_project_and_no_process_and_never_takes_anybodys_work(tmp_path: Path) -> None:
    platform = RunningPlatform(tmp_path / "home")
    theirs = tmp_path / "sample"
    theirs.mkdir()
    for name in ("PROVENANCE.json", "mine.py"):
        (theirs / name).write_text("mine")
    _, said = interrupted_at("Ctrl-C stops the platform", ["make", "run", f"SAMPLE={theirs}"], platform)
    assert "Verified: format passed" in said, said
    assert "architect works" in said
    assert said.count("make test") == said.count("hal9 runs list") == 1
    assert {path.name: path.read_text() for path in theirs.iterdir()} == {"PROVENANCE.json": "mine", "mine.py": "mine"}
    sample = tmp_path / "sample-2"
    assert f"in {sample}" in said
    assert (sample / "Makefile").is_file()
    assert platform.processes() == []

    before = sample.stat().st_ino
    (sample / ".venv").mkdir()  # what `make install` there makes is no change of anybody's
    code, said = interrupted_at("Ctrl-C stops the platform", [*DEMO, str(sample)], platform)
    assert code == 0, said
    assert (sample.stat().st_ino != before, (sample / ".venv").exists()) == (True, False)
    assert sorted(path.name for path in tmp_path.glob("*sample*")) == ["sample", "sample-2"]

    assert samples.place(sample) == sample
    for change in ("README.md", "src/added.py"):
        path = sample / change
        was = path.read_bytes() if path.exists() else None
        path.write_text("changed")
        assert samples.place(sample) == tmp_path / "sample-2-2"
        path.unlink()
        if was is not None:
            assert samples.place(sample) == tmp_path / "sample-2-2"
            path.write_bytes(was)
        assert samples.place(sample) == sample


def test_ctrl_c_before_the_project_is_there_is_no_success(tmp_path: Path) -> None:
    platform = RunningPlatform(tmp_path / "home")
    code, said = interrupted_at("architect works", [*DEMO, str(tmp_path / "sample")], platform)
    assert (code, "goes on when it is started again" in said, "Traceback" in said) == (130, True, False), said
    assert list(tmp_path.glob("*sample*")) == []
    assert platform.processes() == []
