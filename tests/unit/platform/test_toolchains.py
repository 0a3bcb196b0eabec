"""Toolchains: installed once, known by their lock file, never half there. The lock file here is empty."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from knative.cli import toolchains

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lock file, and an installation of Python of our own to install beside."""
    file = tmp_path / "python.lock"
    file.write_text("# nothing\n")
    monkeypatch.setattr(toolchains, "LOCKS", {"python": file})
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    return file


def ran(*arguments: str) -> Any:
    done = CliRunner().invoke(toolchains.command, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def states() -> list[str]:
    return [about["state"] for about in ran("list")]


def test_a_toolchain_is_installed_once_and_again_when_its_lock_file_changes(lock: Path) -> None:
    assert states() == ["missing"]
    made = ran("install", "python")
    assert made["installed"] is True
    assert (toolchains.folder("python") / "bin" / "python").exists()
    assert states() == ["current"]
    assert ran("install", "python")["installed"] is False
    lock.write_text("# something else\n")
    assert states() == ["outdated"]
    assert ran("install", "python")["installed"] is True
    assert states() == ["current"]


def test_a_half_made_toolchain_is_made_anew(lock: Path) -> None:
    (toolchains.folder("python") / "bin").mkdir(parents=True)
    (toolchains.folder("python") / "bin" / "python").touch()
    assert states() == ["missing"]
    assert ran("install", "python")["installed"] is True


def test_what_cannot_be_installed_is_said_and_not_taken_for_installed(lock: Path) -> None:
    lock.write_text("no-such-package==1.0\n")  # without a hash: refused before anything is asked of a server
    done = CliRunner().invoke(toolchains.command, ["install", "python"])
    assert done.exit_code == 1
    assert "cannot be installed" in done.output
    assert states() == ["missing"]


def test_an_unknown_language_is_refused_with_those_that_are_known(lock: Path) -> None:
    done = CliRunner().invoke(toolchains.command, ["install", "cobol"])
    assert done.exit_code == 2
    assert "python" in done.output
