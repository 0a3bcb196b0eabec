"""Images go to a real registry and come back from it; the second time nothing is sent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knative.images import layout, registry
from knative.images.registry import Reference, RegistryError
from knative.images.sources import open_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.images.build import Made

PROGRAM = "github.com/google/go-containerregistry/cmd/registry@v0.20.6"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that somebody else wrote, built from its Go module."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine, and the registry that this test pushes to is a Go module")
    folder = tmp_path_factory.mktemp("registry")
    proxy = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=True).stdout.split(",")[0]
    variables = {**os.environ, "GOPROXY": proxy.strip(), "GOBIN": str(folder), "CGO_ENABLED": "0"}
    subprocess.run(["go", "install", PROGRAM], env=variables, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([folder / "registry", "-port", str(port)], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert "serving on port" in server.stderr.readline()
        yield f"localhost:{port}"
        server.terminate()


@pytest.fixture
def folder(made: dict[str, Made], tmp_path: Path) -> Path:
    images = [made[name].image for name in ("upkeep", "valkey")]
    layout.write_layout(images, tmp_path / "layout")
    layout.write_bills(images, tmp_path / "layout" / "sbom")
    return tmp_path / "layout"


def test_what_the_registry_has_is_not_sent_again_and_what_is_pulled_is_what_was_pushed(
    host: str, folder: Path, made: dict[str, Made], tmp_path: Path
) -> None:
    first = registry.push(folder, f"{host}/hal9")
    references = [made[name].image.reference for name in ("upkeep", "valkey")]
    assert [one.name for one in first] == [one.replace("dev.local", host) for one in references]
    assert first[0].sent > 10**7
    assert first[1].known > 0  # the base's layer was mounted from the first image's repository
    assert [one.sent for one in registry.push(folder, f"{host}/hal9")] == [0, 0]

    pulled = open_base(f"{host}/hal9/upkeep:1.2.3", "linux/amd64", tmp_path)
    assert pulled.digest == made["upkeep"].image.digest
    assert [layer.digest for layer in pulled.layers] == [layer.digest for layer in made["upkeep"].image.layers]
    by_digest = open_base(f"{host}/hal9/upkeep@{pulled.digest}", "linux/amd64", tmp_path / "again")
    assert by_digest.config == pulled.config


def test_the_bill_of_materials_is_a_referrer_of_its_image(
    host: str, folder: Path, made: dict[str, Made], tmp_path: Path
) -> None:
    """This registry keeps no list of referrers, so that the specification's tag stands for it."""
    registry.push(folder, f"{host}/bills")
    tag = made["valkey"].image.digest.replace(":", "-")
    with registry.Registry(host) as client:
        path = f"bills/valkey/manifests/{tag}"
        (listed,) = client.call("GET", path, "bills/valkey", headers={"Accept": layout.INDEX}).json()["manifests"]
        manifest = client.call("GET", f"bills/valkey/manifests/{listed['digest']}", "bills/valkey").json()
        digest = manifest["layers"][0]["digest"]
        client.download(f"bills/valkey/blobs/{digest}", "bills/valkey", tmp_path / "bill", digest)
    assert listed["artifactType"] == "application/vnd.cyclonedx+json"
    assert manifest["subject"]["digest"] == made["valkey"].image.digest
    assert (tmp_path / "bill").read_bytes() == made["valkey"].image.bill


def test_an_image_that_is_not_there_is_said(host: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="answered 404 to GET hal9/none"):
        registry.pull(f"{host}/hal9/none:1", "linux/amd64", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python:3.11.11-slim-bookworm", Reference("docker.io", "library/python", "3.11.11-slim-bookworm", "")),
        ("docker.io/library/python", Reference("docker.io", "library/python", "latest", "")),
        ("registry.example:5000/a/b-c:1", Reference("registry.example:5000", "a/b-c", "1", "")),
        ("localhost/a@sha256:" + "0" * 64, Reference("localhost", "a", "", "sha256:" + "0" * 64)),
    ],
)
def test_names_are_read(name: str, expected: Reference) -> None:
    assert Reference.parse(name) == expected


@pytest.mark.parametrize("name", ["Upper/case", "a b", "host.example/", "a:b:c"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(RegistryError, match="is no name of an image"):
        Reference.parse(name)
