"""A folder is written whole or not at all: what cannot be moved leaves everything as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.folders import move_in, replace, staging


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def holds(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_had_to_be_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with staging(tmp_path / "a" / "b") as stage:
        write(stage / "made", x="1")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from shared.folders import staging
with staging(Path(sys.argv[1])) as stage:
    (stage / sys.argv[2]).mkdir()
    (stage / sys.argv[2] / "x").write_text("1")
    print(stage, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(beside: Path, inside: str) -> Path:
    """What a process leaves that is killed while it makes something."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(beside), inside], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Path(done.stdout.strip())


def test_what_a_killed_process_left_is_taken_away_by_the_next_one(tmp_path: Path) -> None:
    left = killed(tmp_path, "made")
    assert left.is_dir()
    with staging(tmp_path) as stage:
        assert [path for path in tmp_path.iterdir() if path.name.startswith(".hal9-")] == [stage]


def test_what_a_killed_process_had_put_aside_is_left_to_its_owner(tmp_path: Path) -> None:
    left = killed(tmp_path, "before")
    with staging(tmp_path):
        assert holds(left / "before") == {"x": "1"}


def test_what_another_one_is_making_is_left_alone(tmp_path: Path) -> None:
    with staging(tmp_path) as first:
        write(first / "made", x="1")
        with staging(tmp_path) as second:
            assert first != second
            assert holds(first / "made") == {"x": "1"}
    assert list(tmp_path.iterdir()) == []


def test_entries_take_the_place_of_those_of_their_name_and_obsolete_ones_go(tmp_path: Path) -> None:
    out = write(tmp_path / "out", same="old", gone="old", theirs="theirs")
    with staging(out) as stage:
        move_in(write(stage / "made", same="new", more="new"), out, stage / "before", ["gone", "never-there"])
    assert holds(out) == {"same": "new", "more": "new", "theirs": "theirs"}


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    with staging(tmp_path) as stage:
        move_in(write(stage / "made", x="1"), tmp_path / "out", stage / "before")
    assert holds(tmp_path / "out") == {"x": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_when_one_entry_cannot_be_moved_all_stand_as_they_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write(tmp_path / "out", a="old", c="old", gone="old")
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if self.name == "c" and to.parent == out and self.parent.name == "made":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"), staging(out) as stage:
        move_in(write(stage / "made", a="new", b="new", c="new"), out, stage / "before", ["gone"])
    assert holds(out) == {"a": "old", "c": "old", "gone": "old"}


def test_a_whole_folder_takes_anothers_place(tmp_path: Path) -> None:
    out = write(tmp_path / "out", x="old", y="old")
    with staging(tmp_path) as stage:
        replace(write(stage / "made", x="new"), out, stage / "before")
    assert holds(out) == {"x": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_whole_folder_that_cannot_be_moved_leaves_the_other_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write(tmp_path / "out", x="old")
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if self.name == "made":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"), staging(tmp_path) as stage:
        replace(write(stage / "made", x="new"), out, stage / "before")
    assert holds(out) == {"x": "old"}
