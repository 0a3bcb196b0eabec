"""The table of shards fits a terminal of eighty columns on a busy platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knative.cli.shards import _print
from shared.shards.survey import Connections, ShardReport

if TYPE_CHECKING:
    import pytest


def test_no_column_is_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report = ShardReport(
        10, None, "18.1", 1023 << 30, {"active": 33_333, "draining": 1}, 5462, "eu-central", "active", 1234, 119.9,
        2900, (Connections("neuron-l2", 1999, 12, 3),), 119.9, 12, 119.9,
    )  # fmt: skip
    _print([report])
    printed = capsys.readouterr().out
    assert "…" not in printed
    shown = " ".join(printed.split())
    assert all(figure in shown for figure in ("1234,", "33333", "+1", "1999/2900", "12,"))
