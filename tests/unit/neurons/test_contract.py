"""Bodies, processes and registries refuse what cannot work, before it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel

from functions.neuron.bodies.catalogue import PROCESSES, registry
from functions.neuron.ledger import journal_key
from shared.identifiers import new_id
from shared.neurons import L2, Body, Builtin, Complete, Process, Question, Registry, Reply, Work, executor_of
from shared.neurons.engine import NoAnswer
from tests.processes.tally import TALLY

ROOT = Path(__file__).parents[3]


class Letter(BaseModel):
    letter: str


def body(name: str = "b", layer: str = L2, **more: object) -> Body[Letter, Letter]:
    """A body that gives back what it gets."""
    given = {"work": lambda work: Complete(work.input), **more}
    return Body(name, layer, Letter, Letter, "Gives back.", **given)  # type: ignore[arg-type]


def test_layers_and_delegates_have_executors() -> None:
    assert [executor_of(layer) for layer in ("l4", "l3", "l2", "codegen")] == [
        "neuron-l4", "neuron-l3", "neuron-l2", "codegen",
    ]  # fmt: skip
    assert body(layer="codegen", work=None).delegated


def test_a_body_works_or_is_delegated_or_says_why_it_cannot() -> None:
    for layer, work in (("l2", None), ("codegen", lambda work: Complete(work.input))):
        with pytest.raises(ValueError, match="'b'"):
            body(layer=layer, work=work)
    assert body(work=None, unavailable="Not yet.").unavailable


def test_a_process_names_its_bodies_once_and_its_root_is_among_them() -> None:
    with pytest.raises(ValueError, match="twice"):
        Process("p", "s", "b", (body(), body()))
    with pytest.raises(ValueError, match="among its bodies: b"):
        Process("p", "s", "c", (body(),))
    process = Process("p", "s", "b", (body(), body("c")))
    assert process.body("c").name == "c"
    with pytest.raises(KeyError):
        process.body("d")


def test_a_registry_imports_paths_and_names_what_is_wrong() -> None:
    found = Registry.imported([" tests.processes.tally:TALLY ", ""])
    assert (found.names(), found.get("tally"), found.get("x")) == (["tally"], TALLY, None)
    for path in ("tests.processes.tally:NOBODY", "tests.processes.nowhere:X", "tests.processes.tally", "json:loads"):
        with pytest.raises(ValueError, match=path.split(":", maxsplit=1)[0]):
            Registry.imported([path])
    with pytest.raises(ValueError, match="two processes"):
        Registry([TALLY, msgspec.structs.replace(TALLY)])


def test_the_catalogue_holds_what_this_release_knows_and_what_is_configured() -> None:
    assert registry("tests.processes.tally:TALLY").names() == sorted(["software", "tally"])
    assert len(registry().names()) == len(PROCESSES)


async def test_the_builtin_engine_answers_for_nothing_or_not_at_all() -> None:
    class NoLedger:
        async def call(self, request: str, most_microdollars: int, make: object, most_tokens: int = 0) -> Reply:
            raise AssertionError("the built-in engine pays for nothing")

    thought = await Builtin().think(Question(Letter, "", "", lambda: Letter(letter="a")), NoLedger())
    assert (thought.value.letter, thought.engine) == ("a", "builtin")
    with pytest.raises(NoAnswer):
        await Builtin().think(Question(Letter, "", "", None), NoLedger())


def test_journal_keys_tell_apart_whatever_makes_a_call_another_call() -> None:
    org, run, other = new_id(), new_id(), new_id()
    base = ("model", org, run, "/a", 0, 0, 0, "prompt")
    changed = [
        ("delegated", *base[1:]), ("model", other, *base[2:]), (*base[:2], other, *base[3:]),
        (*base[:3], "/b", *base[4:]),
        (*base[:4], 1, *base[5:]), (*base[:5], 1, *base[6:]), (*base[:6], 1, base[7]), (*base[:7], "prompt "),
    ]  # fmt: skip
    keys = {journal_key(*each) for each in [base, *changed]}
    assert len(keys) == len(changed) + 1
    assert journal_key(*base) == journal_key(*base)


def test_bodies_can_be_written_without_the_runtime() -> None:
    """What a body imports opens nothing: no database, no server, no client."""
    program = (
        "import shared.neurons, sys; print([m for m in sys.modules if m in {'asyncpg', 'starlette', 'httpx', 'redis'}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert Work(Letter(letter="a")).failures == {}
