"""`hal9 projects`: what was made of requests for software: list, show, download."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from knative.cli import projectfolder, projectview, tables
from knative.cli.connection import connected
from knative.cli.organisationnames import organisation
from knative.cli.refusals import Refusal
from shared.software.projects import ProjectState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.software.projects import ProjectSummary

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PROJECT: Final = click.argument("project_id", metavar="PROJECT", type=click.UUID)
_LONGEST_REQUEST: Final = 60


@click.group()
def command() -> None:
    """List, show and download what was made of requests for software; hand it to another organisation."""


@command.command("list")
@click.option("--state", type=click.Choice(get_args(ProjectState)), help="Only projects in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@_JSON
def list_projects(state: Any, limit: int, *, as_json: bool) -> None:
    """List projects, the newest first."""
    with connected(quiet=as_json) as client:
        projects = list(islice(client.projects.list(state=state), limit))
    if as_json:
        click.echo(json.dumps({"projects": [one.model_dump(mode="json") for one in projects]}, indent=1))
    elif projects:
        _table(projects)
    else:
        click.echo('There are no projects: ask for one with `hal9 codegen "REQUEST" --out DIR`.')


@command.command()
@_PROJECT
@_JSON
def show(project_id: UUID, *, as_json: bool) -> None:
    """Show a project: what was built, what was not, and how it was verified."""
    with connected(quiet=as_json) as client:
        project = client.projects.get(project_id)
    if as_json:
        click.echo(project.model_dump_json(indent=1))
        return
    click.echo(f"project {project.id}, run {project.run_id}: {project.state}\n{tables.harmless(project.request)}")
    projectview.tell(project, None)
    if project.artefact_id is not None:
        click.echo(f"\nGet it with: hal9 projects download {project.id} --out DIR")


@command.command()
@_PROJECT
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="An empty or new folder.")
@_JSON
def download(project_id: UUID, out: Path, *, as_json: bool) -> None:
    """Write a project's files into a folder, all or none."""
    projectfolder.require(out)
    with connected(quiet=as_json) as client:
        project = client.projects.get(project_id)
        if not projectfolder.write(client, project, out):
            raise Refusal(
                f"This project has no files, its state is {project.state}: see `hal9 projects show {project_id}`."
            )
    if as_json:
        click.echo(json.dumps(projectview.summary(project, out), indent=2))
    else:
        projectview.tell(project, out)


@command.command()
@_PROJECT
@click.option("--to", "to", required=True, callback=organisation, help="The other organisation: its slug or id.")
@_JSON
def offer(project_id: UUID, to: UUID, *, as_json: bool) -> None:
    """Offer a project to another organisation, which takes it with `hal9 projects accept`.

    Nothing changes before. It takes a key of an owner or an administrator on both sides; a later offer replaces it.
    """
    with connected(quiet=as_json) as client:
        made = client.projects.offer(project_id, to)
    if as_json:
        click.echo(made.model_dump_json(indent=1))
    else:
        click.echo(f"Offered. There they say: hal9 projects accept {project_id} --from {made.organisation}")


@command.command()
@_PROJECT
@_JSON
def withdraw(project_id: UUID, *, as_json: bool) -> None:
    """Take an offer back: the project can be accepted by nobody any more."""
    with connected(quiet=as_json) as client:
        client.projects.withdraw(project_id)
    click.echo(json.dumps({"withdrawn": str(project_id)}) if as_json else "Offered to nobody any more.")


@command.command()
@_PROJECT
@click.option("--from", "giver", required=True, callback=organisation, help="Who offered it: the slug or id.")
@_JSON
def accept(project_id: UUID, giver: UUID, *, as_json: bool) -> None:
    """Take a project that another organisation offers, with what was made.

    It is theirs or yours at every moment. Its run, and what it cost, stay with them; the same command again does no
    harm.
    """
    with connected(quiet=as_json) as client:
        project = client.projects.accept(project_id, giver)
    if as_json:
        click.echo(project.model_dump_json(indent=1))
    else:
        click.echo(f"{project.id} is yours. See `hal9 projects show {project.id}`.")


def _table(projects: Sequence[ProjectSummary]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("project", "state", "language", "created", "request", box=None)
    for column in table.columns:
        column.no_wrap = True
    for one in projects:
        request = " ".join(one.request.split())
        short = request if len(request) <= _LONGEST_REQUEST else f"{request[: _LONGEST_REQUEST - 1]}…"
        table.add_row(
            str(one.id), Text(one.state, style=tables.STATE_COLOURS[one.state]), one.language,
            f"{one.created_at:%Y-%m-%d %H:%M:%S}", tables.stranger(short),
        )  # fmt: skip
    table.columns[-1].overflow = "ellipsis"
    tables.console().print(table)
