"""Images go to a real registry and come back from it; the second time nothing is sent."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from knative.images import layout, registry
from knative.images.registry import Reference, RegistryError
from knative.images.sources import open_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.images.build import Made

PROGRAM = "github.com/google/go-containerregistry/cmd/registry@v0.20.6"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that somebody else wrote, built from its Go module."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine, and the registry that this test pushes to is a Go module")
    folder = tmp_path_factory.mktemp("registry")
    proxy = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=True).stdout.split(",")[0]
    variables = {**os.environ, "GOPROXY": proxy.strip(), "GOBIN": str(folder), "CGO_ENABLED": "0"}
    subprocess.run(["go", "install", PROGRAM], env=variables, check=True, capture_output=True)
    return folder / "registry"


@contextmanager
def serving(program: Path) -> Iterator[str]:
    """Run it, empty; give its host."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([program, "-port", str(port)], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert "serving on port" in server.stderr.readline()
            yield f"localhost:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def host(program: Path) -> Iterator[str]:
    """A registry that takes everybody."""
    with serving(program) as place:
        yield place


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


class Door(BaseHTTPRequestHandler):
    """What stands before a registry that wants a login, Basic or by a token; behind it is the real one."""

    protocol_version = "HTTP/1.1"
    kind = "Basic"
    behind = ""
    token = "a-token-of-a-minute"
    login = "Basic " + base64.b64encode(b"porter:s3cret").decode()

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        place = self.headers["host"]
        wanted = self.login if self.kind == "Basic" else f"Bearer {self.token}"
        if self.path.startswith("/token?"):
            known = self.headers["authorization"] == self.login
            self._say(200 if known else 401, {}, json.dumps({"token": self.token}).encode() if known else b"{}")
        elif self.headers["authorization"] != wanted:
            challenge = f'{self.kind} realm="http://{place}/token",service="{place}"'
            self._say(401, {"WWW-Authenticate": challenge})
        else:
            sent = {name: value for name, value in self.headers.items() if name.lower() in {"accept", "content-type"}}
            got = httpx.request(self.command, f"http://{self.behind}{self.path}", headers=sent, content=content)
            kept = {name: got.headers[name] for name in ("location", "content-type") if name in got.headers}
            self._say(got.status_code, kept, got.content)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815 - as http.server calls them

    def _say(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["Basic", "Bearer"])
def guarded(program: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry behind a door."""
    with serving(program) as place, ThreadingHTTPServer(("localhost", 0), Door) as server:
        server.RequestHandlerClass = type("Guarded", (Door,), {"kind": request.param, "behind": place})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (folder / "config.json").write_text(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_a_registry_that_wants_a_login_takes_that_of_the_docker_configuration(
    guarded: str, folder: Path, made: dict[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, json.dumps({"auths": {guarded: {"auth": Door.login.removeprefix("Basic ")}}}))
    assert registry.push(folder, f"{guarded}/hal9")[0].sent > 10**7
    pulled = registry.pull(f"{guarded}/hal9/upkeep:1.2.3", "linux/amd64", tmp_path / "pulled")
    assert pulled[1] == made["upkeep"].image.digest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "wants credentials: log in with `docker login"),
        ('{"auths": {"HOST": {"auth": "cG9ydGVyOndyb25n"}}}', "answered 401|gives no right to"),
        ('{"auths": {"HOST": {"auth": "x"}}}', "config.json is no Docker configuration"),
        ('{"auths": []', "config.json is no Docker configuration"),
        ("[]", "config.json is no Docker configuration"),
    ],
)
def test_a_login_that_is_missing_wrong_or_unreadable_is_said(
    guarded: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, told: str
) -> None:
    configured(tmp_path, monkeypatch, content.replace("HOST", guarded))
    with pytest.raises(RegistryError, match=told):
        registry.push(folder, f"{guarded}/refused")


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
