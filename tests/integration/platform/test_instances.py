"""Instances as processes: what one says of why it is not ready reaches who waits for it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knative.description import load_all
from knative.platform.activator import UNREADY_SECONDS, Deployment
from knative.platform.home import Home
from knative.platform.instances import ProcessLauncher
from knative.platform.scaling import Scale
from shared.clock import ManualClock
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[3]

PROGRAM = """
import os
from shared.function import Function, NoResources
from shared.problems import Problem, register

register("shelf-full", 503, "The shelf is full", "Take something off it.")


class Resources(NoResources):
    async def check(self):
        if not os.path.exists(os.environ["ROOM"]):
            raise Problem("shelf-full", headers={"Retry-After": "30"})


function = Function("needy", [], resources=Resources)
handle = function.handle
"""


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_what_keeps_a_function_from_being_ready_is_told_to_who_waits_and_it_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    folder, room = tmp_path / "functions" / "needy", tmp_path / "room"
    folder.mkdir(parents=True)
    (folder / "function.toml").write_text('name = "needy"\ndescription = "x"\n')
    (folder / "main.py").write_text(PROGRAM)
    home = Home.at(tmp_path / "home")
    home.make()
    (about,) = load_all(folder.parent)
    (deployed,) = about.deployments()
    environment = {"PATH": os.defpath, "ROOM": str(room), "PYTHONPATH": str(CHECKOUT)}
    launcher = ProcessLauncher(home, CHECKOUT, {"needy": deployed}, {"needy": environment})
    clock = ManualClock()
    deployment = Deployment("needy", Scale(maximum=1), launcher, clock)
    try:
        waiting = asyncio.ensure_future(deployment.acquire())
        await until(lambda: deployment.slots and deployment.slots[0].instance.unready)
        deployment.tend()
        clock.advance(UNREADY_SECONDS)
        deployment.tend()
        with pytest.raises(Problem) as refused:
            await waiting
        assert refused.value.detail == "The function needy is not ready: The shelf is full. Take something off it."
        assert refused.value.headers["retry-after"] == "30"
        room.touch()
        await until(lambda: deployment.count("ready"))
        (await deployment.acquire()).release()
        assert deployment.starts == 1
    finally:
        await deployment.close()
