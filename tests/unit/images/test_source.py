"""Where sources are published is told as far as the checkout says it, and is never made up."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from knative.images.build import source_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository without a remote, and a project without addresses."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://somebody:secret@git.example:8443/a/b.git", "https://git.example:8443/a/b.git"),
        ("ssh://git@git.example/a/b.git", "ssh://git.example/a/b.git"),
        ("git@git.example:a/b.git", "ssh://git.example/a/b.git"),
        ("/srv/git/b.git", ""),
        ("../b.git", ""),
        ("file:///srv/git/b.git", ""),
    ],
)
def test_the_remote_is_taken_when_it_is_an_address(checkout: Path, remote: str, told: str) -> None:
    assert source_of(checkout) == ""
    subprocess.run(["git", "-C", str(checkout), "remote", "add", "origin", remote], check=True)
    assert source_of(checkout) == told


def test_what_the_project_says_goes_first(checkout: Path) -> None:
    subprocess.run(["git", "-C", str(checkout), "remote", "add", "origin", "https://git.example/fork"], check=True)
    with (checkout / "pyproject.toml").open("a") as file:
        file.write('[project.urls]\nDocumentation = "https://docs.example"\nRepository = "https://git.example/b"\n')
    assert source_of(checkout) == "https://git.example/b"


def test_without_a_repository_nothing_is_told(tmp_path: Path) -> None:
    assert source_of(tmp_path) == ""
