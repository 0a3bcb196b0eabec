"""Schemathesis against the whole API: what it generates from the document, the API must answer as the document says."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.gateway.stage import MakeCaller

EXAMPLES = 12
CONFIGURATION = """
[[operations]]
include-name = "POST /v1/projects/accepted"
# What is taken here is what another organisation has offered, not what this one made a moment before.
checks.ensure_resource_availability.enabled = false

[[operations]]
include-name = "GET /v1/usage"
# A month that has not begun is refused, which a schema cannot say.
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
"""


async def test_schemathesis_finds_nothing(api: str, caller: MakeCaller, tmp_path: Path) -> None:
    me = await caller("owner")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{api}/openapi.json",
        "--header", f"Authorization: Bearer {me.text}",
        "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1", "--continue-on-failure",
        "--request-timeout", "20", "--suppress-health-check", "all", "--no-color",
        "--exclude-path-regex", "/runs/.*/events$",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-20_000:]
