"""A cluster that does not answer for a moment: what may be asked again is, and it is told apart from a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy.cluster import ClusterError, connect
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEBHOOK = 'Internal error occurred: failed calling webhook "webhook.serving.knative.dev": connection refused'
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "hal9"}}


class Script:
    """Answers with statuses and messages that come first, then with what was given.

    Attributes:
        answers: What comes first.
        asked: How often it was asked.
        context: The kubeconfig's name of the server.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.asked = 0
        self.context = ""

    def __call__(self, _method: str, _path: str, given: Any) -> tuple[int, Any]:
        self.asked += 1
        if not self.answers:
            return 200, given
        status, message = self.answers.pop(0)
        return status, {"kind": "Status", "message": message, "reason": "Told"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """One that listens."""
    script = Script()
    with api_server(script, tmp_path, monkeypatch) as script.context:
        yield script


@pytest.mark.parametrize("first", [(500, WEBHOOK), (503, "busy"), (429, "busy"), (504, "busy")])
async def test_what_was_not_heard_is_asked_again(server: Script, first: tuple[int, str]) -> None:
    server.answers = [first]
    async with connect(server.context, "hal9") as cluster:
        applied = await cluster.apply(MANIFEST)
    assert (applied.object, server.asked) == (MANIFEST, 2)


@pytest.mark.parametrize("refusal", [(500, "etcd is full"), (422, "no such field"), (403, "you may not")])
async def test_what_was_refused_is_not(server: Script, refusal: tuple[int, str]) -> None:
    server.answers = [refusal]
    async with connect(server.context, "hal9") as cluster:
        with pytest.raises(ClusterError, match=refusal[1]) as caught:
            await cluster.apply(MANIFEST)
    assert (server.asked, caught.value.status, caught.value.passing) == (1, refusal[0], False)


@pytest.mark.parametrize("status", [0, 429, 503, 504])
def test_no_answer_is_told_apart_from_a_refusal(status: int) -> None:
    assert ClusterError("what the server said", status).passing


def test_so_is_a_webhook_that_could_not_be_asked() -> None:
    assert ClusterError(WEBHOOK, 500, "InternalError").passing
