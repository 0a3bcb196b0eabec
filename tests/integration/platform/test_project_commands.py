"""`hal9 codegen` that ends otherwise than it should, and the ways back to its project."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.platform_fixture import RunningPlatform

ROOT = Path(__file__).resolve().parents[3]
REQUEST = "A library of temperature conversions: from Celsius to Fahrenheit and back."
HAL9 = [sys.executable, "-m", "knative.cli.main"]
LARGEST_FILE = "bash", "-c", 'ulimit -f 1; exec "$@"', "bash"
"""Runs a command that can write no file of more than 1 KiB, as if the disk were full."""

HEARS_CTRL_C = "env", "--default-signal=INT"
"""Runs a command as a terminal does: what a script starts in the background, as CI may all this, ignores Ctrl-C."""


def projects(platform: RunningPlatform) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(platform.hal9("projects", "list", "--json").stdout)["projects"]
    return found


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_asked_for(own_platform: RunningPlatform) -> None:
    before = projects(own_platform)
    refused = own_platform.hal9("codegen", REQUEST, "--out", "/proc/nope/x", check=False)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "/proc/nope/x cannot be written" in refused.stderr
    assert projects(own_platform) == before


def test_a_project_that_could_not_be_written_leaves_nothing_and_can_be_downloaded(
    own_platform: RunningPlatform, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "project"
    done = subprocess.run(
        [*LARGEST_FILE, *HAL9, "codegen", REQUEST, "--out", str(out)],
        cwd=ROOT, env=own_platform.environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    newest = projects(own_platform)[0]
    assert newest["state"] == "completed", done.stderr
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "File too large" in done.stderr
    assert f"hal9 projects download {newest['id']} --out DIR" in done.stderr
    assert list(tmp_path.iterdir()) == []
    out = tmp_path / "empty"
    out.mkdir()
    said = own_platform.hal9("projects", "download", newest["id"], "--out", str(out)).stdout
    assert "Verified" in said
    assert (out / "Makefile").is_file()
    assert [path.name for path in out.iterdir() if path.name.startswith(".hal9")] == []
    refused = own_platform.hal9("projects", "download", newest["id"], "--out", str(out), "--json", check=False)
    assert "not empty" in json.loads(refused.stdout)["problem"]["detail"]
    elsewhere = tmp_path / "elsewhere"
    told = json.loads(own_platform.hal9("projects", "download", newest["id"], "--out", str(elsewhere), "--json").stdout)
    assert (told["folder"], told["id"], told["verified"]) == (str(elsewhere), newest["id"], True)
    files = [sorted(str(path.relative_to(one)) for path in one.rglob("*")) for one in (out, elsewhere)]
    assert files[0] == files[1]
    assert elsewhere.stat().st_mode & 0o055 == 0o055
    assert newest["id"] in own_platform.hal9("projects", "list").stdout
    shown = own_platform.hal9("projects", "show", newest["id"]).stdout
    assert f"hal9 projects download {newest['id']}" in shown
    assert json.loads(own_platform.hal9("projects", "show", newest["id"], "--json").stdout)["id"] == newest["id"]


def test_ctrl_c_says_that_the_run_goes_on_and_how_to_come_back_to_it(
    own_platform: RunningPlatform, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [*HEARS_CTRL_C, *HAL9, "codegen", f"{REQUEST} And from Kelvin.", "--out", str(out)],
        cwd=ROOT, env=own_platform.environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    newest = projects(own_platform)[0]
    assert process.returncode == 130
    for way in ("watch", "cancel"):
        assert f"hal9 runs {way} {newest['run_id']}" in said
    assert f"hal9 projects download {newest['id']} --out DIR" in said
    assert not out.exists()
    own_platform.hal9("runs", "cancel", newest["run_id"])
    refused = own_platform.hal9("projects", "download", newest["id"], "--out", str(out), check=False)
    assert refused.returncode == 1 or out.exists()  # the run may have ended before it was cancelled
