"""A whole run with a language model configured: its answer is used, repaired or replaced, and everything says so."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from functions.neuron import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.platform_fixture import RunningPlatform

REQUEST = "A library of conversions: a function that converts kilometres to miles."


class Model:
    """A server that speaks OpenAI's protocol and says what it was told to, in order; the last answer repeats."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.asked: list[dict[str, Any]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                model.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                text = model.answers.pop(0) if len(model.answers) > 1 else model.answers[0]
                events = [
                    {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]},
                    {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
                ]
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(
                    "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
                )

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    made = Model()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def thinking(platforms: Callable[..., RunningPlatform], model: Model) -> Iterator[RunningPlatform]:
    """A platform whose architect asks the model."""
    made = platforms(functions=None, HAL9_MODEL_L4="openai:small", HAL9_MODEL_OPENAI_URL=model.url)
    made.up()
    yield made
    made.down()


def answer() -> str:
    return json.dumps({"specification": reading.read(REQUEST).model_dump(mode="json"), "refusal": ""})


def codegen(platform: RunningPlatform, out: Path, *further: str) -> dict[str, Any]:
    done = platform.hal9("codegen", REQUEST, "--out", str(out), "--json", *further, check=False, timeout=240)
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["verified"], done.stdout
    return said


def architect(platform: RunningPlatform, said: dict[str, Any]) -> dict[str, Any]:
    run = json.loads(platform.hal9("runs", "show", said["run_id"], "--json").stdout)
    return next(step for step in run["tree"] if step["path"] == "/")


@pytest.mark.timeout(600)
def test_a_models_answer_is_used_and_paid(thinking: RunningPlatform, model: Model, tmp_path: Path) -> None:
    model.answers, model.asked = [answer()], []
    said = codegen(thinking, tmp_path / "out")
    assert (said["engine"], len(model.asked)) == ("model", 1)
    assert said["cost_microdollars"] == 1000 * 3 + 100 * 15
    assert architect(thinking, said)["engine"] == "model"
    assert REQUEST in json.dumps(model.asked[0], ensure_ascii=False)


@pytest.mark.timeout(600)
def test_a_bad_answer_is_repaired(thinking: RunningPlatform, model: Model, tmp_path: Path) -> None:
    model.answers, model.asked = ['{"specification": {"name": "NOT A NAME"}}', answer()], []
    said = codegen(thinking, tmp_path / "out")
    assert (said["engine"], len(model.asked)) == ("repaired", 2)
    assert "That answer was refused" in json.dumps(model.asked[1])


@pytest.mark.timeout(600)
def test_after_the_last_repair_the_built_in_takes_over(thinking: RunningPlatform, model: Model, tmp_path: Path) -> None:
    model.answers, model.asked = ["I cannot help with that."], []
    said = codegen(thinking, tmp_path / "out")
    assert (said["engine"], len(model.asked)) == ("builtin", 3)
    assert "3 answers broke the contract" in architect(thinking, said)["note"]


@pytest.mark.timeout(600)
def test_whoever_asks_for_the_built_in_gets_it(thinking: RunningPlatform, model: Model, tmp_path: Path) -> None:
    model.answers, model.asked = [answer()], []
    said = codegen(thinking, tmp_path / "out", "--engine", "builtin")
    assert (said["engine"], model.asked, said["cost_microdollars"]) == ("builtin", [], 0)


@pytest.mark.timeout(600)
def test_a_replay_asks_nobody_and_costs_nothing(thinking: RunningPlatform, model: Model, tmp_path: Path) -> None:
    model.answers, model.asked = [answer()], []
    said = codegen(thinking, tmp_path / "out")
    replayed = json.loads(thinking.hal9("runs", "replay", said["run_id"], "--json").stdout)
    done = thinking.hal9("runs", "watch", replayed["id"], "--json", check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    run = json.loads(thinking.hal9("runs", "show", replayed["id"], "--json").stdout)
    assert (run["state"], run["cost_microdollars"], run["replay_of"]) == ("completed", 0, said["run_id"])
    assert len(model.asked) == 1
