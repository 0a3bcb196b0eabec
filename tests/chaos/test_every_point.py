"""Every delivery tripled, and the processes killed with SIGKILL at every named point: each effect exactly once, no run
hangs.

One platform, with every point armed at once: each kills its process the first time that one passes it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knative.cli.chaos import all_points
from shared.client import Client
from shared.identifiers import new_id
from shared.neurons.wire import ENDED, Limits
from tests.processes import tally_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.neurons.wire import Run
    from shared.software.projects import Project
    from tests.platform_fixture import RunningPlatform

ROOT = Path(__file__).parents[2]
REQUEST = "A library of temperature conversions: from Celsius to Fahrenheit and back."
MINUTES = 8 * 60.0
insisted = partial(tally_runs.insisted, seconds=MINUTES)


@pytest.fixture(scope="module")
def points() -> list[str]:
    """All but those that test_transaction_kills.py, test_killed_movers.py and test_reorganisations.py have.

    Whoever moves, splits or merges organisations is a command.
    """
    return [name for name in all_points() if not name.startswith(("dtx.", "move.", "reorganisation."))]


class _Model(BaseHTTPRequestHandler):
    """A model that speaks OpenAI's protocol and counts the letters of `thinkhard`."""

    def do_POST(self) -> None:
        """Answer with a stream of one piece."""
        self.rfile.read(int(self.headers["content-length"]))
        events = [
            {"choices": [{"delta": {"content": '{"letters": 9}'}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}},
        ]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The address of a paid model."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def besieged(
    platforms: Callable[..., RunningPlatform], points: list[str], model: str, tmp_path_factory: pytest.TempPathFactory
) -> RunningPlatform:
    """A platform that triples every delivery, with an auditor, whose processes die at every point."""
    folder = tmp_path_factory.mktemp("functions")
    for function in [*(ROOT / "functions").iterdir(), *(ROOT / "tests" / "chaos_functions").iterdir()]:
        if (function / "function.toml").exists():
            (folder / function.name).symlink_to(function)
    made = platforms(
        functions=folder,
        HAL9_CHAOS_KILL=",".join(points),
        HAL9_NEURON_PROCESSES="tests.processes.tally:TALLY",
        HAL9_NEURON_LEASE_SECONDS="1",
        HAL9_MODEL_L2="openai:counter",
        HAL9_MODEL_OPENAI_URL=model,
    )
    made.up("--hostile", "duplicate=3,seed=9")
    return made


@pytest.fixture(scope="module")
def client(besieged: RunningPlatform) -> Iterator[Client]:
    with Client(besieged.credentials["url"], besieged.credentials["api_key"], tries=10) as client:
        yield client


def started(client: Client, *lines: str, audit: bool = False, **limits: Any) -> Run:
    """Start a run, once."""
    key = str(new_id())
    asked = {"lines": list(lines), "audit": audit}
    run: Run = insisted(lambda: client.runs.start("tally", asked, limits=Limits(**limits), idempotency_key=key))
    return run


def ended(client: Client, run: Run) -> Run:
    """Wait for a run's end."""
    limit = time.monotonic() + MINUTES
    while (found := insisted(lambda: client.runs.get(run.id))).state not in ENDED:
        assert time.monotonic() < limit, f"{run.id} hangs: {found.tree}"
        time.sleep(0.1)
    result: Run = found
    return result


def cancelled(client: Client, run: Run) -> Run:
    """Start a run that waits for ever, then cancel it when it does."""
    limit = time.monotonic() + MINUTES
    while not any(step.state == "delegated" for step in insisted(lambda: client.runs.get(run.id)).tree):
        assert time.monotonic() < limit
        time.sleep(0.1)
    result: Run = insisted(lambda: client.runs.cancel(run.id))
    return result


def built(client: Client) -> Project:
    """Have a whole project made and verified."""
    key = str(new_id())
    project = insisted(lambda: client.projects.create(REQUEST, engine="builtin", idempotency_key=key))
    limit = time.monotonic() + MINUTES
    while (found := insisted(lambda: client.projects.get(project.id))).state == "running":
        assert time.monotonic() < limit, insisted(lambda: client.runs.get(project.run_id)).tree
        time.sleep(0.2)
    result: Project = found
    return result


def effects(client: Client, run: Run) -> None:
    """Whatever was said of a run was said once."""
    said = list(client.runs.watch(run.id))
    assert [event.sequence for event in said] == list(range(1, len(said) + 1))
    kinds = Counter(event.type for event in said)
    assert (kinds["run.started"], kinds[f"run.{run.state}"]) == (1, 1)
    done = Counter(event.step_id for event in said if event.type == "step.completed")
    revised = Counter(event.step_id for event in said if event.type in {"step.revised", "step.waiting"})
    assert all(times <= 1 + revised[step] for step, times in done.items())
    assert len({step.path for step in run.tree}) == len(run.tree)


@pytest.mark.timeout(900)
def test_each_effect_exactly_once_and_no_run_hangs(
    besieged: RunningPlatform, client: Client, points: list[str]
) -> None:
    with ThreadPoolExecutor(12) as pool:
        plain = [pool.submit(lambda: ended(client, started(client, "one two", "three"))) for _ in range(8)]
        lying = [pool.submit(lambda: ended(client, started(client, "a lie", "b", audit=True))) for _ in range(2)]
        liar = pool.submit(lambda: ended(client, started(client, "liar", audit=True, revisions_per_step=1)))
        refused = pool.submit(lambda: ended(client, started(client, "refuse", audit=True)))
        paying = [pool.submit(lambda: ended(client, started(client, "thinkhard"))) for _ in range(3)]
        project = pool.submit(lambda: built(client))
        waiting = pool.submit(lambda: cancelled(client, started(client, "wait", audit=True)))
        runs = [*(run.result() for run in plain), *(run.result() for run in lying), liar.result(), refused.result()]
        paid = [run.result() for run in paying]
        stopped, made = waiting.result(), project.result()
    assert [(run.state, run.output["letters"]) for run in runs[:8]] == [("completed", 11)] * 8
    assert [(run.state, run.output["letters"], run.revisions) for run in runs[8:10]] == [("completed", 5, 1)] * 2
    assert (runs[10].state, runs[10].code, runs[10].revisions) == ("failed", "not-audited", 1)
    assert (runs[11].state, runs[11].code) == ("failed", "undelivered")
    assert stopped.state == "cancelled"
    assert [(run.state, run.output["letters"], run.engine) for run in paid] == [("completed", 9, "model")] * 3
    assert all(run.reserved_microdollars == 0 < run.cost_microdollars < run.cost_cap_microdollars for run in paid)
    assert made.artefact_id is not None, made.reason
    assert made.result is not None
    assert made.state == ("completed" if made.result.verified else "failed")
    for run in [*runs, *paid, stopped, insisted(lambda: client.runs.get(made.run_id))]:
        effects(client, run)
    assert len(insisted(lambda: list(client.runs.list(process="tally")))) == len(runs) + len(paid) + 1
    assert len(insisted(lambda: list(client.projects.list()))) == 1
    metered(client, [*runs, *paid, stopped, insisted(lambda: client.runs.get(made.run_id))])
    redriven(client)
    survived(besieged, client, points)


def metered(client: Client, runs: list[Run]) -> None:
    """Each run counted once in the organisation's quota, whoever died, with what it cost; nothing stays reserved."""
    meters = {one.meter: one for one in insisted(client.usage.get).meters}
    assert meters["runs"].used == len(runs)
    assert meters["cost"].used == sum(run.cost_microdollars for run in runs)
    assert meters["model_tokens"].used > 0
    assert meters["storage"].used > 0
    assert [one.reserved for one in meters.values()] == [0] * len(meters)


def redriven(client: Client) -> None:
    """Dead letters can be listed and sent again, and come to nothing as their run has ended."""
    letters = [
        letter
        for letter in insisted(lambda: list(client.dead_letters.list()))
        if letter.event_type == "ai.hal9.neuron.step.requested"
    ]
    assert letters
    assert insisted(lambda: client.dead_letters.redrive(letters[0].id)).redriven_at is not None


def survived(besieged: RunningPlatform, client: Client, points: list[str]) -> None:
    """Every point was passed and killed its process; what was not yet is passed by further runs."""
    limit = time.monotonic() + MINUTES
    while missing := [name for name in points if not (besieged.home / "chaos" / name).exists()]:
        assert time.monotonic() < limit, f"never passed: {missing}\n{besieged.logs()}"
        run = ended(client, started(client, "one thinkhard", audit=True))
        assert (run.state, run.output["letters"]) == ("completed", 12)
        effects(client, run)
