"""The servers' images have versions that follow from what they run, and from nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from knative.images import parts
from knative.images.versions import LOCK, versions

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the servers' images are made of."""
    for name in ("knative/images", "shared/database", "requirements"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    shutil.copyfile(CHECKOUT / "knative/__init__.py", tmp_path / "knative/__init__.py")
    return tmp_path


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_they_bear_the_servers_own_version() -> None:
    found = versions(CHECKOUT)
    lock = (CHECKOUT / LOCK).read_text()
    assert set(found) == {"postgres", "valkey"} == {one.name for one in parts.BESIDE if one.serves}
    for one in parts.BESIDE:
        if one.serves:
            version, _, digest = found[one.name].rpartition("-")
            assert f"\n{one.serves}=={version} " in lock
            assert re.fullmatch("[0-9a-f]{12}", digest)


def test_another_place_or_release_changes_nothing(checkout: Path) -> None:
    append(checkout / "knative/images/entry/migrations.py", "CHANGED = True\n")
    append(checkout / "knative/images/sbom.py", "CHANGED = True\n")
    assert versions(checkout) == versions(CHECKOUT)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("knative/images/entry/postgres.py", {"postgres"}),
        ("knative/images/entry/valkey.py", {"valkey"}),
        ("knative/images/entry/secret.py", {"postgres", "valkey"}),
        ("knative/images/entry/shell.py", {"postgres"}),
        ("shared/database/bootstrap.sql", {"postgres"}),
    ],
)
def test_what_they_run_changes_theirs(checkout: Path, changed: str, names: set[str]) -> None:
    append(checkout / changed, "\n")
    before, after = versions(CHECKOUT), versions(checkout)
    assert {name for name in before if before[name] != after[name]} == names


def test_another_wheel_of_the_same_version_is_another_one(checkout: Path) -> None:
    lock = checkout / LOCK
    old = lock.read_text()
    place = old.index("sha256:", old.index("\nvalkeylite==")) + len("sha256:")
    lock.write_text(old[:place] + "0" * 64 + old[place + 64 :])
    before, after = versions(CHECKOUT), versions(checkout)
    assert before["postgres"] == after["postgres"]
    assert before["valkey"] != after["valkey"]
    assert before["valkey"].rpartition("-")[0] == after["valkey"].rpartition("-")[0]
