"""A base image made of the Python that runs the tests, and images over it; no engine, no root, no registry."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knative.images.build import Made, Request, build
from knative.images.sources import open_base

if TYPE_CHECKING:
    from knative.images.base import Base

CHECKOUT = Path(__file__).resolve().parents[3]
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
"""The interpreter alone: with -S it sees no package of this environment."""


def environment(tree: Path, one: Made, **more: str) -> dict[str, str]:
    """The image's own variables, its absolute paths put below the folder where it was unpacked."""
    given: list[str] = one.image.config["config"]["Env"]
    found = dict(pair.split("=", 1) for pair in given)
    found["PYTHONPATH"] = found["PYTHONPATH"].replace("/opt/hal9", f"{tree}/opt/hal9")
    return found | {"HOME": str(tree)} | more


def arguments(tree: Path, one: Made) -> list[str]:
    """The image's command: its entry point without the interpreter, below the folder where it was unpacked."""
    entry: list[str] = one.image.config["config"]["Entrypoint"]
    assert entry[0] == "/usr/local/bin/python3"
    return [part.replace("/opt/hal9", f"{tree}/opt/hal9") for part in entry[1:]]


def write_base(path: Path, *, minor: int = sys.version_info.minor, compiled: bool = True, current: bool = True) -> None:
    """Write a docker-archive whose one layer has the names that a Python base has, and nothing that runs.

    Args:
        path: the archive.
        minor: of its Python.
        compiled: whether it has bytecode.
        current: whether that is of the sources' times, so that the interpreter takes it.
    """
    library = f"usr/local/lib/python3.{minor}"
    names = {"usr/local/bin/python3": 0o755, f"{library}/os.py": 0o644, f"{library}/test/bad.py": 0o644}
    source = Path(sys.base_prefix, "lib", f"python3.{sys.version_info.minor}", "__pycache__", "os.cpython-311.pyc")
    layer = path.with_suffix(".layer")
    content = path.with_suffix(".content")
    with tarfile.open(layer, "w") as archive:
        for name, mode in names.items():
            content.write_text("x = 1\n")
            info = archive.gettarinfo(content, name)
            info.mode = mode
            info.mtime = 1_700_000_000
            with content.open("rb") as file:
                archive.addfile(info, file)
        if compiled:
            stamp = struct.pack("<II", 1_700_000_000 if current else 1_600_000_000, len("x = 1\n"))
            content.write_bytes(source.read_bytes()[:4] + bytes(4) + stamp + source.read_bytes()[16:])
            archive.add(content, f"{library}/__pycache__/os.{sys.implementation.cache_tag}.pyc")
        link = tarfile.TarInfo("bin")
        link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
        archive.addfile(link)
    diff_id = hashlib.sha256(layer.read_bytes()).hexdigest()
    config = path.with_suffix(".json")
    config.write_text(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"]},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
            }
        )
    )
    manifest = path.with_suffix(".manifest")
    manifest.write_text(json.dumps([{"Config": "config.json", "RepoTags": ["base:1"], "Layers": ["layer.tar"]}]))
    with tarfile.open(path, "w") as archive:
        for source_path, name in ((layer, "layer.tar"), (config, "config.json"), (manifest, "manifest.json")):
            archive.add(source_path, name)


def request(base: Base, work: Path, *names: str, layers: Path | None = None) -> Request:
    work.mkdir(parents=True, exist_ok=True)
    return Request(
        checkout=CHECKOUT,
        names=names,
        base=base,
        prefix="dev.local/hal9",
        version="1.2.3",
        revision="a" * 40,
        source="",
        created=datetime.fromtimestamp(1_700_000_000, UTC),
        work=work,
        layers=layers,
    )


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    write_base(folder / "base.tar")
    return open_base(str(folder / "base.tar"), "linux/amd64", folder)


@pytest.fixture(scope="session")
def made(base: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every image but codegen's, whose toolchain another test makes."""
    folder = tmp_path_factory.mktemp("images")
    names = ("gateway", "neuron", "upkeep", "migrations", "archiver", "postgres", "valkey")
    found = build(request(base, folder / "work", *names, layers=folder / "layers"))
    return {one.image.reference.rpartition("/")[2].partition(":")[0]: one for one in found}


@pytest.fixture(scope="session")
def trees(made: dict[str, Made], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The images' own files, unpacked."""
    folder = tmp_path_factory.mktemp("trees")
    for name, one in made.items():
        for layer in one.own:
            with tarfile.open(layer.path) as archive:
                archive.extractall(folder / name, filter="tar")
    return {name: folder / name for name in made}
