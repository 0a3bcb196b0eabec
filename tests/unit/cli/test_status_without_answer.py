"""What `hal9 status` says where no supervisor answers: that none runs, or that the one that runs is too busy."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from click.testing import CliRunner

from knative.cli.main import main
from knative.platform.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def told(*arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(main, ["status", *arguments])
    return ran.exit_code, ran.output


def test_a_supervisor_that_does_not_answer_is_not_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAL9_HOME", str(tmp_path))
    home = Home.at(tmp_path)
    home.make()
    code, text = told()
    assert (code, "No platform runs" in text) == (1, True)
    assert json.loads(told("--json")[1]) == {"running": False, "home": str(tmp_path)}
    lock = home.lock()
    try:
        code, text = told()
        assert (code, "does not answer" in text, "hal9 up" in text) == (1, True, False)
        assert json.loads(told("--json")[1]) == {"running": True, "answers": False, "home": str(tmp_path)}
    finally:
        os.close(lock)
