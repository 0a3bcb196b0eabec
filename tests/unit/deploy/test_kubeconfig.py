"""A kubeconfig that is wrong, and a server that is none: one sentence says which, and why."""

from __future__ import annotations

import copy
import itertools
import socket
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knative.deploy import cluster
from knative.deploy.cluster import ClusterError, connect
from tests.unit.deploy.apiserver import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "one", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "somebody", "user": {"token": "told"}}],
    "contexts": [{"name": "mine", "context": {"cluster": "one", "user": "somebody"}}],
    "current-context": "mine",
}
NUMBERS = itertools.count()
"""The library keeps connections by namespace: each test has its own."""


class _Page(BaseHTTPRequestHandler):
    """Answers with the page of something that is no API server."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write the kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    def written(text: str) -> Path:
        (tmp_path / "kubeconfig").write_text(text)
        return tmp_path / "kubeconfig"

    return written


def config(**changes: Any) -> str:
    return yaml.safe_dump({**copy.deepcopy(CONFIG), **changes})


async def refusal() -> str:
    with pytest.raises(ClusterError) as caught:
        async with connect(None, f"hal9-{next(NUMBERS)}"):
            pass
    return str(caught.value)


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", "echo denied >&2; exit 1"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("", "is empty: it is no kubeconfig"),
        ("word", "is no kubeconfig: it holds no fields"),
        ("contexts: [word]", "contexts is no list of entries that have a name"),
        (config(**{"current-context": ""}), "has no current context; there are: mine. Name one with --context."),
        (config(**{"current-context": "other"}), "has no context other; there are: mine."),
        (config(clusters=[]), "context mine names the cluster one, which is not there"),
        (config(clusters=[{"name": "one", "cluster": {}}]), "the cluster of context mine has no server"),
        (
            config(clusters=[{"name": "one", "cluster": {"server": "https://a", "certificate-authority": "no.crt"}}]),
            "certificate-authority of cluster one, no.crt, is not there",
        ),
        (
            config(users=[{"name": "somebody", "user": {"exec": "word"}}]),
            "exec of the user of context mine has no fields",
        ),
        (config(users=[{"name": "somebody", "user": {"exec": EXEC}}]), "credentials from sh) cannot be used: Process"),
    ],
)
async def test_a_fault_is_said_with_the_file(write: Callable[[str], Path], text: str, told: str) -> None:
    file = write(text)
    said = await refusal()
    assert str(file) in said
    assert told in said


async def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert f"KUBECONFIG names no file that is there ({tmp_path}/none)" in await refusal()


async def test_a_server_that_is_away_is_named(write: Callable[[str], Path]) -> None:
    file = write(config())
    assert f"http://127.0.0.1:1 (context mine of {file}) does not answer" in await refusal()


async def test_a_server_that_never_answers_is_given_up(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file = write(config(clusters=[{"name": "one", "cluster": {"server": address}}]))
        assert f"{address} (context mine of {file}) does not answer: TimeoutError" in await refusal()


async def test_a_page_of_something_else_is_no_refusal_of_credentials(write: Callable[[str], Path]) -> None:
    with serving(_Page) as port:
        write(config(clusters=[{"name": "one", "cluster": {"server": f"http://127.0.0.1:{port}"}}]))
        said = await refusal()
    assert "does not answer as an API server does" in said


async def test_who_has_no_home_is_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "~nobody-of-this-name/config")
    assert "KUBECONFIG names no file that is there (~nobody-of-this-name/config)" in await refusal()
