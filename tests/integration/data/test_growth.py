"""However many organisations there are, no request of one of them reads a table of all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.performance import __main__ as harness

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_no_request_of_an_organisation_reads_a_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.main(["--only", "tenant-growth", "--quick", "--json", "--out", str(tmp_path)]) == 0
    [result] = json.loads(capsys.readouterr().out)["benchmarks"]
    found = {figure["name"]: figure["value"] for figure in result["figures"]}
    assert found["tables of many rows that were read whole"] == 0
    assert found["a run, 100 organisations, p50"] > 0
