"""`make run`, as someone types it who has just cloned the project: it ends with a verified project, and on Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.platform_fixture import RunningPlatform

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
def test_make_run_leaves_a_verified_project_and_no_process(tmp_path: Path) -> None:
    platform = RunningPlatform(tmp_path / "home")
    environment = {**platform.environment, "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    sample = tmp_path / "sample"
    command = ["make", "run", f"SAMPLE={sample}"]
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
        for line in process.stdout:
            said += line
            if "Ctrl-C stops the platform" in line:
                os.killpg(process.pid, signal.SIGINT)
        watchdog.cancel()
    assert "Verified: format passed" in said, said
    assert "hal9 runs list" in said
    assert (sample / "Makefile").is_file()
    assert platform.processes() == []
