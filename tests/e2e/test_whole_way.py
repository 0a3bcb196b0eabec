"""The main job from end to end: plain English in, a verified project out, judged from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.platform_fixture import Platform

LIBRARY = (
    "An API for a lending library: members have a unique email and a name, books have an ISBN that is unique, a title "
    "and a number of copies. A member can borrow at most 3 books at a time, and a loan is due after 14 days."
)
TOOLCHAIN = Path(sys.prefix) / "toolchains" / "python" / "bin" / "python"


@pytest.fixture(scope="module")
def library(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The lending library as `hal9 codegen` wrote it, and what the command said."""
    folder = tmp_path_factory.mktemp("projects") / "library"
    done = platform.hal9("codegen", LIBRARY, "--lang", "python", "--out", str(folder), "--json", timeout=240)
    return folder, json.loads(done.stdout)


def test_the_project_verified(library: tuple[Path, dict[str, Any]]) -> None:
    folder, said = library
    assert said["verified"]
    assert said["state"] == "completed"
    assert {check["name"]: check["passed"] for check in said["result"]["checks"]} == {
        "format": True,
        "lint": True,
        "types": True,
        "tests": True,
    }
    assert said["result"]["tests_passed"] > 10
    assert said["engine"] == "builtin"
    assert said["cost_microdollars"] == 0
    assert said["result"]["not_done"] == []
    for name in ("Makefile", "README.md", "REQUEST.md", "Dockerfile", "PROVENANCE.json", "pyproject.toml"):
        assert (folder / name).is_file(), name


def test_the_tree_has_all_three_layers(platform: Platform, library: tuple[Path, dict[str, Any]]) -> None:
    _, said = library
    run = json.loads(platform.hal9("runs", "show", said["run_id"], "--json").stdout)
    executors = {step["executor"] for step in run["tree"]}
    assert {"neuron-l4", "neuron-l3", "neuron-l2", "codegen"} <= executors
    assert run["state"] == "completed"


@contextmanager
def served(project: Path, data: Path) -> Iterator[httpx.Client]:
    """Run a generated service as its users do, but with the toolchain's interpreter; give a client of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (package,) = [path.name for path in (project / "src").iterdir() if (path / "__init__.py").is_file()]
    environment = {
        "PORT": str(port),
        "DATA_DIR": str(data),
        "PYTHONPATH": str(project / "src"),
        "PATH": os.environ["PATH"],
    }
    command = [str(TOOLCHAIN), "-m", package]
    with subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
                _wait_for(client, process)
                yield client
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 30
    while True:
        try:
            client.get("/openapi.json").raise_for_status()
        except httpx.HTTPError:
            if process.poll() is not None or time.monotonic() > limit:
                output = process.stdout.read().decode() if process.stdout and process.poll() is not None else ""
                raise AssertionError(f"the service did not start: {output}") from None
        else:
            return


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a list, however the page is wrapped."""
    page = answer.json()
    return page if isinstance(page, list) else next(value for value in page.values() if isinstance(value, list))


def test_the_service_keeps_its_rules_and_its_data(library: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = library
    with served(folder, tmp_path) as api:
        assert api.post("/members", json={"email": "not an address", "name": "A"}).status_code == 422
        assert api.post("/members", json={"name": "A"}).status_code == 422
        member = api.post("/members", json={"email": "a@example.org", "name": "A"})
        assert member.status_code == 201
        assert api.post("/members", json={"email": "a@example.org", "name": "B"}).status_code == 409
        books = [
            api.post("/books", json={"isbn": isbn, "title": f"Book {isbn}", "copies": 2}).json()["id"]
            for isbn in ("9780306406157", "9780131103627", "9780201633610", "9780262033848")
        ]
        loan = [api.post("/loans", json={"member_id": member.json()["id"], "book_id": book}) for book in books]
        assert [answer.status_code for answer in loan] == [201, 201, 201, 409]
        assert loan[3].headers["content-type"].startswith("application/problem+json")
        assert api.post(f"/loans/{loan[0].json()['id']}/return").status_code == 200
        assert api.post("/loans", json={"member_id": member.json()["id"], "book_id": books[3]}).status_code == 201
        assert api.get("/members/no-such-id").status_code in {404, 422}
        kept = len(items(api.get("/loans")))
    with served(folder, tmp_path) as api:
        assert len(items(api.get("/loans"))) == kept == 4


def test_it_refuses_a_folder_that_is_not_empty(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    refused = platform.hal9("codegen", LIBRARY, "--out", str(tmp_path), check=False)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("language", ["rust", "typescript", "go", "cobol"])
def test_a_language_that_is_not_available_is_refused_and_the_available_are_named(
    platform: Platform, tmp_path: Path, language: str
) -> None:
    out = tmp_path / "out"
    refused = platform.hal9("codegen", LIBRARY, "--lang", language, "--out", str(out), check=False)
    assert refused.returncode == 1
    assert "python" in refused.stderr
    assert not out.exists()


def test_a_request_that_asks_for_nothing_is_refused(platform: Platform, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused = platform.hal9("codegen", "Hello, how are you today?", "--out", str(out), "--json", check=False)
    said = json.loads(refused.stdout)
    assert refused.returncode == 1
    assert said["state"] == "failed"
    assert said["reason"]
    assert not out.exists()


def test_an_event_asks_for_software_as_well(platform: Platform) -> None:
    headers = {
        "authorization": f"Bearer {platform.credentials['api_key']}",
        "ce-specversion": "1.0",
        "ce-id": "shop-1",
        "ce-source": "/shop",
        "ce-type": "ai.hal9.codegen.project.requested",
        "ce-orgid": "00000000-0000-0000-0000-000000000001",
        "content-type": "application/json",
    }
    request = "A library of conversions: kilometres to miles and back."
    with platform.http(**headers) as client:
        for _ in range(2):
            assert client.post("/v1/events", json={"request": request}).status_code == 202

        def asked() -> list[dict[str, Any]]:
            return [one for one in client.get("/v1/projects").json()["projects"] if one["request"] == request]

        _until(lambda: len(asked()) == 1 and asked()[0]["state"] != "running", seconds=120)
        assert len(asked()) == 1


def _until(condition: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "what was waited for did not come"
        time.sleep(0.1)
