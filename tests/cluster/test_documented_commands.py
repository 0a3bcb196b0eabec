"""Every command of the docs that needs a cluster runs: the blocks that are marked `sh cluster`, in their order."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from knative.deploy.cluster import connect
from knative.deploy.kinds import NAMESPACE
from tests.cluster.conftest import CONNECT_TO, IMAGES, ROOT, VERSION

BLOCK = re.compile(r"^```sh cluster\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if BLOCK.search(page.read_text(encoding="utf-8")))
NAMESPACE_OF_DOCS = "hal9"


def commands(page: Path) -> list[str]:
    return [line for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines() if line]


def test_there_are_commands_to_try() -> None:
    assert "platform-team.md" in {page.name for page in PAGES}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
async def test_every_command_of_a_page_runs(page: Path, kubeconfig: str, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "build").mkdir()
    async with connect(None, NAMESPACE_OF_DOCS) as cluster:
        environment = {
            **os.environ,
            "KUBECONFIG": kubeconfig,
            "HAL9_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(ROOT),
            "TERM": "dumb",
            "IMAGES": IMAGES,
            "VERSION": VERSION,
            "CONNECT_TO": CONNECT_TO,
            "CONTEXT": cluster.context,
        }
        try:
            for line in commands(page):
                process = await asyncio.create_subprocess_exec(
                    "bash", "-euo", "pipefail", "-c", line,
                    cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )  # fmt: skip
                output, _ = await process.communicate()
                assert process.returncode == 0, f"{line}\n{output.decode()}"
        finally:
            await cluster.delete(NAMESPACE, NAMESPACE_OF_DOCS)
