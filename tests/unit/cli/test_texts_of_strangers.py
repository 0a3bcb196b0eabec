"""What somebody else wrote is shown to people as text: no order to their terminal, and no markup."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from knative.cli import projectview, status
from knative.cli.main import main
from knative.cli.tables import harmless
from shared.software.projects import NotDone, Project, ProjectResult

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER = "\x1b]0;owned\x07"
AN_ID = UUID(int=1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof é lines \N{NO-BREAK SPACE}", None),
        ("one\r\ntwo\rthree", "one\ntwo\N{REPLACEMENT CHARACTER}three"),
        ("\x1b[2J\x9b1m\x7f", "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}1m\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_orders_are_replaced_and_lines_are_kept(text: str, shown: str | None) -> None:
    assert harmless(text) == (text if shown is None else shown)


def test_a_project_of_somebody_else_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    result = ProjectResult(
        title=f"[red]{ORDER}", kind="api", built=[f"[/]{ORDER}"], not_done=[NotDone(text=ORDER, reason=ORDER)],
        verified=True, checks=[], tests_passed=1, isolation="landlock", files=1,
    )  # fmt: skip
    project = Project(
        id=AN_ID, run_id=AN_ID, request="x", language="python", state="failed", reason=ORDER, engine=None,
        artefact_id=None, cost_microdollars=0, created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), finished_at=None,
        result=result,
    )  # fmt: skip
    projectview.tell(project, Path(f"/x/[/red]{ORDER}"))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.count("]0;owned") == 6
    assert "[red]" in shown
    assert "[/]" in shown


def test_a_log_is_shown_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    entry: Mapping[str, Any] = {"message": ORDER, "detail": ORDER, "exception": f"one\n{ORDER}"}
    (tmp_path / "logs" / "gateway.log").write_text(f"{json.dumps(entry)}\n{ORDER}\n")
    monkeypatch.setenv("HAL9_HOME", str(tmp_path))
    ran = CliRunner().invoke(main, ["logs", "gateway"])
    assert ran.exit_code == 0, ran.output
    assert "\x1b" not in ran.output
    assert ran.output.count("]0;owned") == 4


def test_a_folder_whose_name_looks_like_markup_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    process = {"pid": 1, "memory_bytes": 0}
    status._show({
        "url": "http://x", "home": "/x[/red]", "memory_bytes": 0, "functions": {}, "servers": {}, "broker": process,
        "replicas": [], "failovers": [], "cache": {"fault": None}, "disk": {"fault": None},
    })  # fmt: skip
    assert "/x[/red]" in capsys.readouterr().out
