"""Every command in the docs runs: the shell blocks of README and guides, in their order, against a platform.

So do the Python examples after them; each ends by printing the state of what it asked for.

Blocks that are marked `sh cluster` run in tests/cluster. Those marked `sh registry` need a registry of images, which no
machine of ours reaches: tests/integration/images runs the same commands with a base and a registry of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.platform_fixture import RunningPlatform

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALLING = {"make run", "make test"}
"""What CI itself runs on a clean checkout (`make test`), and tests/e2e/test_make_run.py (`make run`)."""


def commands(page: Path) -> list[str]:
    return [
        line for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines() if line.strip()
    ]


def examples(page: Path) -> list[str]:
    return EXAMPLE.findall(page.read_text(encoding="utf-8"))


WITH_COMMANDS = [page for page in PAGES if set(commands(page)) - INSTALLING]


def test_there_are_commands_to_try() -> None:
    assert {page.name for page in WITH_COMMANDS} >= {
        "README.md",
        "developers.md",
        "administrators.md",
        "platform-team.md",
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_runs(page: Path, platforms: Callable[..., RunningPlatform], tmp_path: Path) -> None:
    platform = platforms(functions=None)
    platform.up()
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "build").mkdir()
    environment = {
        **platform.environment,
        "HAL9_URL": platform.url,
        "HAL9_API_KEY": platform.credentials["api_key"],
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
    }
    try:
        for line in commands(page):
            if line in INSTALLING or line.endswith("hal9 up"):
                continue
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        for example in examples(page):
            done = subprocess.run(
                [sys.executable, "-c", example],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert (done.returncode, done.stdout.split()[-1:]) == (0, ["completed"]), f"{done.stdout}\n{done.stderr}"
    finally:
        platform.down()
        shutil.rmtree(platform.home, ignore_errors=True)


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]
    assert [f"{page}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_every_python_example_stands_on_a_page_that_is_tried() -> None:
    assert [page.name for page in PAGES if examples(page)] == ["developers.md"]


def test_make_help_names_every_target_of_the_issue() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout
    for target in ("install", "run", "test", "lint", "bench", "docs", "clean"):
        assert f"make {target} " in shown
