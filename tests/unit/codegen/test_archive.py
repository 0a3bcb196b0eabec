"""Projects as files: packed the same every time, and never outside their folder."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.codegen import archive
from shared.software.source import EngineName, SourceFile, SourceTree


def tree(**files: str) -> SourceTree:
    return SourceTree(files=tuple(SourceFile(path=path, content=text, neuron="n") for path, text in files.items()))


def test_the_same_tree_gives_the_same_bytes() -> None:
    one = SourceTree(files=tuple(SourceFile(path=p, content=p, neuron="n") for p in ("b", "a/c")))
    other = SourceTree(files=tuple(SourceFile(path=p, content=p, neuron="n") for p in ("a/c", "b")))
    assert archive.pack(one) == archive.pack(other)


def test_the_archive_holds_every_file_with_its_mode_and_the_provenance() -> None:
    made = SourceTree(
        files=(
            SourceFile(path="run.sh", content="#!/bin/sh\n", neuron="n", executable=True),
            SourceFile(
                path="src/a.py", content="é\n", neuron="m", engine=EngineName.REPAIRED, implements=("/rules/0",)
            ),
        )
    )
    with tarfile.open(fileobj=io.BytesIO(archive.pack(made))) as packed:
        members = {member.name: member for member in packed.getmembers()}
        stream = packed.extractfile("PROVENANCE.json")
        assert stream is not None
        provenance = json.load(stream)
        source = packed.extractfile("src/a.py")
        assert source is not None
        assert source.read().decode() == "é\n"
    assert {name: member.mode for name, member in members.items()} == {
        "PROVENANCE.json": 0o644,
        "run.sh": 0o755,
        "src/a.py": 0o644,
    }
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}
    assert provenance["files"]["src/a.py"] == {"engine": "repaired", "neuron": "m", "implements": ["/rules/0"]}


def test_writing_gives_what_packing_holds(tmp_path: Path) -> None:
    archive.write(tree(**{"a/b.py": "x\n", "c": ""}), tmp_path)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert written == ["PROVENANCE.json", "a/b.py", "c"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "", "a\\b", "a\0b", ".."])
def test_no_path_leads_outside(path: str) -> None:
    with pytest.raises(ValidationError):
        SourceFile(path=path, content="", neuron="n")


@given(st.text())
def test_every_path_that_is_taken_stays_inside(path: str) -> None:
    try:
        file = SourceFile(path=path, content="", neuron="n")
    except ValidationError:
        return
    assert (Path("/project") / file.path).parts[:2] == ("/", "project")
    assert ".." not in Path(file.path).parts


def test_two_files_at_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="two files at one path: a"):
        SourceTree.join([tree(a="1"), tree(a="2")])
