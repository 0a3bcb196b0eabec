"""The same request ten at a time while every function rolls out and pods die: each run ends once, artefacts verify."""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import partial
from typing import TYPE_CHECKING

from shared.identifiers import new_id
from shared.neurons.wire import ENDED
from tests.cluster.deployed import SERVICES
from tests.cluster.going import SECONDS, going_on
from tests.processes.tally_runs import insisted

if TYPE_CHECKING:
    from pathlib import Path

    from shared.client import Client
    from shared.software.projects import Project
    from tests.cluster.deployed import DeployedPlatform

AT_ONCE = 10
PAUSE = 3.0
REQUEST = "A library of conversions: a function that converts kilometres to miles."


def made(deployed: DeployedPlatform, client: Client) -> Project:
    """Ask for the project, once, and wait for its end."""
    key = str(new_id())
    asked: Project = insisted(lambda: client.projects.create(REQUEST, idempotency_key=key), SECONDS)

    def ended() -> Project | None:
        found: Project = insisted(lambda: client.projects.get(asked.id))
        return None if found.state == "running" else found

    project: Project = deployed.until(f"the end of {asked.id}", ended, SECONDS, PAUSE)
    return project


def revisions(deployed: DeployedPlatform) -> set[str]:
    return {pod["metadata"]["labels"]["serving.knative.dev/revision"] for pod in deployed.instances()}


def alone(deployed: DeployedPlatform, before: set[str]) -> bool:
    return revisions(deployed).isdisjoint(before)


def test_ten_at_a_time_while_functions_roll_out_and_pods_die(deployed: DeployedPlatform, tmp_path: Path) -> None:
    with going_on(deployed, AT_ONCE, partial(made, deployed)) as going:
        deployed.until("an instance that verifies", lambda: deployed.ready("codegen"))
        before = revisions(deployed)
        said = deployed.deploy("--pool-size", "3")  # another setting: a new revision of every function
        assert "HAL9 is ready" in said
        replaced = partial(alone, deployed, before)
        deployed.until("instances of the new revisions alone", replaced, SECONDS, PAUSE)
        for service in SERVICES:
            deployed.delete_pods(*deployed.ready(service)[:1])
        projects = going.ended()
        assert len(projects) >= AT_ONCE
        with deployed.explained():
            assert {(one.state, one.reason) for one in projects} == {("completed", None)}
            assert all(one.result is not None and one.result.verified for one in projects)
            for project in projects:
                ended_once(going.client, project)
                archive_is_whole(going.client, project, tmp_path / f"{project.id}.tar.gz")


def ended_once(client: Client, project: Project) -> None:
    run = insisted(lambda: client.runs.get(project.run_id))
    assert run.state in ENDED
    assert len({step.path for step in run.tree}) == len(run.tree)
    said = [event.type for event in insisted(lambda: list(client.runs.watch(run.id)))]
    assert (said.count("run.started"), said.count("run.completed")) == (1, 1)


def archive_is_whole(client: Client, project: Project, path: Path) -> None:
    insisted(lambda: client.projects.download(project.id, path))
    artefact = insisted(lambda: client.artefacts.get(str(project.artefact_id)))
    content = path.read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (artefact.sha256, artefact.size)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
    assert {"Makefile", "PROVENANCE.json"} <= {name.rpartition("/")[2] for name in names}
