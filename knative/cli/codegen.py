"""`hal9 codegen`: a request in plain English becomes a tested project in a folder."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from knative.cli import projectfolder, projectview, refusals, standstill
from knative.cli.refusals import Interruption
from shared.client import ApiError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from knative.cli.runtree import RunTree
    from shared.client import Client
    from shared.neurons.wire import RunEvent
    from shared.software.projects import Project

_PATIENCE_SECONDS: Final = 60.0
_SAID_AFTER_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.2
_NOT_FOUND: Final = 404


@click.command("codegen")
@click.argument("request")
@click.option("--lang", "language", default="python", show_default=True, help="Language of the implementation.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="An empty or new folder.")
@click.option("--engine", type=click.Choice(["builtin", "model"]), help="`builtin` keeps language models out of it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and no progress.")
def command(request: str, language: str, out: Path, engine: Any, as_json: bool) -> None:
    """Turn REQUEST, in plain English, into a tested project in a folder. `-` reads it from standard input.

    \b
    Example:
      hal9 codegen "An API for a lending library: members have a unique email and a name." --out library

    Exit code 0: the project was written, and its own linter, types and tests passed. 1: it did not verify (it is
    written even so, when there is one), or was refused. 2: the command line is wrong. 130: interrupted; the run goes
    on, and it is said how to follow, cancel and get it.
    """
    text = sys.stdin.read() if request == "-" else request
    projectfolder.require(out)
    from knative.cli.connection import connected

    with connected(quiet=as_json) as client:
        project = made(client, text, language=language, engine=engine, progress="none" if as_json else "stderr")
        folder = out if projectfolder.write(client, project, out) else None
    if as_json:
        click.echo(json.dumps(projectview.summary(project, folder), indent=2))
    else:
        projectview.tell(project, folder)
        if project.state == "completed" and folder is not None:
            click.echo("\nNext:\n  " + "\n  ".join(projectview.what_next(project, folder)))
    if project.state != "completed":
        raise SystemExit(1)


def made(
    client: Client, request: str, *, language: str, engine: Any, progress: Literal["stdout", "stderr", "none"]
) -> Project:
    """Ask for a project, show what the neurons do, and give it when its run has ended.

    Args:
        client: Of the API.
        request: In plain English.
        language: Of the implementation.
        engine: `builtin`, `model`, or None.
        progress: Where it is shown.

    Raises:
        click.ClickException: The API refused, the run did not begin, or Ctrl-C; when the project was taken by then, it
            is said how to get it.
    """
    try:
        project = client.projects.create(request, language=language, engine=engine)
    except ClientError as error:
        raise refusals.of(error, verified=False) from None
    try:
        _follow(client, project.run_id, progress)
        return _ended(client, project.id)
    except ClientError as error:
        raise refusals.of(error, f"{error}\n{_how_to_go_on(project)}", verified=False, **_ids(project)) from None
    except KeyboardInterrupt:
        raise Interruption(f"Interrupted. {_how_to_go_on(project)}", None, verified=False, **_ids(project)) from None


def _ids(project: Project) -> dict[str, str]:
    return {"project_id": str(project.id), "run_id": str(project.run_id)}


def _how_to_go_on(project: Project) -> str:
    return (
        f"The run goes on without this command: {project.run_id}\n"
        f"  hal9 runs watch {project.run_id}                 follow it\n"
        f"  hal9 runs cancel {project.run_id}                end it\n"
        f"  hal9 projects download {project.id} --out DIR    get the project when it is done"
    )


def _follow(client: Client, run_id: UUID, progress: Literal["stdout", "stderr", "none"]) -> None:
    """Show the tree of neurons until the run has ended."""
    from knative.cli.runtree import RunTree

    tree = RunTree("What the neurons do")
    with _display(tree, progress) as show:
        for event in _events(client, run_id, quiet=progress == "none"):
            show(tree.feed(event))


def _events(client: Client, run_id: UUID, *, quiet: bool) -> Iterator[RunEvent]:
    """Give the run's events.

    The run begins a moment after its project was taken, so an unknown one is asked for again.
    """
    began = time.monotonic()
    told = quiet
    while True:
        try:
            yield from client.runs.watch(run_id, quiet=standstill.told(client, quiet=quiet))
        except ApiError as error:
            waited = time.monotonic() - began
            if error.status != _NOT_FOUND:
                raise
            if waited > _PATIENCE_SECONDS:
                raise ClientError(
                    f"The request was taken, but its run did not begin within {_PATIENCE_SECONDS:.0f} s: see "
                    "`hal9 status` and `hal9 events dead-letters list` for what stands in its way."
                ) from None
            if waited > _SAID_AFTER_SECONDS and not told:
                click.echo("Waiting for the run to begin: the request was taken, its event is on its way …", err=True)
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return


@contextmanager
def _display(tree: RunTree, progress: Literal["stdout", "stderr", "none"]) -> Iterator[Callable[[str | None], None]]:
    """A live drawing on a terminal, one line for each event elsewhere, nothing when there is to be none."""
    from rich.console import Console

    on_stderr = progress == "stderr"
    console = Console(stderr=on_stderr, highlight=False)
    if progress == "none":
        yield lambda _line: None
    elif console.is_terminal:
        from rich.live import Live

        with Live(tree, console=console, refresh_per_second=8) as live:
            yield lambda _line: live.update(tree)
    else:
        yield lambda line: click.echo(line, err=on_stderr) if line else None


def _ended(client: Client, project_id: UUID) -> Project:
    """Give the project once it knows that its run has ended: it hears of it by an event.

    Raises:
        ClientError: It did not hear of it.
    """
    limit = time.monotonic() + _PATIENCE_SECONDS
    while (project := client.projects.get(project_id)).state == "running":
        if time.monotonic() > limit:
            raise ClientError(
                f"The run has ended, but its project did not hear of it within {_PATIENCE_SECONDS:.0f} s: see "
                "`hal9 status` and `hal9 events dead-letters list` for what stands in its way."
            )
        time.sleep(_POLL_SECONDS)
    return project
