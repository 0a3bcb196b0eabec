"""`hal9 codegen`: a request in plain English becomes a tested project in a folder."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import click

from shared.client import ApiError, Client, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from knative.cli.runtree import RunTree
    from shared.neurons.wire import RunEvent
    from shared.software.projects import Project

_PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_LARGEST_FILE: Final = 16 << 20
_NEXT: Final = {
    "api": "make run          # listens on PORT (8000 unless set); its API is described at /openapi.json",
    "command_line": "make install     # then .venv/bin holds the program",
    "library": "make install     # then the package can be imported from .venv",
}


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
    written even so, when there is one), or was refused. 2: the command line is wrong.
    """
    text = sys.stdin.read() if request == "-" else request
    _require_empty(out)
    _require_writable(out)
    try:
        with Client.from_environment() as client:
            project = client.projects.create(text, language=language, engine=engine)
            _follow(client, project.run_id, quiet=as_json)
            project = _ended(client, project.id)
            written = _write(client, project, out)
    except ClientError as error:
        _refuse(error, as_json=as_json)
    if as_json:
        click.echo(json.dumps(_summary(project, out, written=written), indent=2))
    else:
        _tell(project, out, written=written)
    if project.state != "completed":
        raise SystemExit(1)


def _require_writable(out: Path) -> None:
    """Find out before any work is done that the project could not be written."""
    nearest = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise click.ClickException(f"{out} cannot be written: {nearest} is not yours to write to")


def _require_empty(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()):
        raise click.ClickException(f"{out} is not empty: name a new folder, or empty it first")


def _refuse(error: ClientError, *, as_json: bool) -> None:
    if as_json and isinstance(error, ApiError):
        click.echo(json.dumps({"verified": False, "problem": error.document}, indent=2))
        raise SystemExit(1) from None
    raise click.ClickException(str(error)) from None


def _follow(client: Client, run_id: UUID, *, quiet: bool) -> None:
    """Show the tree of neurons until the run has ended."""
    from knative.cli.runtree import RunTree

    tree = RunTree("What the neurons do")
    with _display(tree, quiet=quiet) as show:
        for event in _events(client, run_id):
            show(tree.feed(event))


def _events(client: Client, run_id: UUID) -> Iterator[RunEvent]:
    """Give the run's events.

    The run begins a moment after its project was taken, so an unknown one is asked for again.
    """
    limit = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            yield from client.runs.watch(run_id)
        except ApiError as error:
            if error.status != 404 or time.monotonic() > limit:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


@contextmanager
def _display(tree: RunTree, *, quiet: bool) -> Iterator[Any]:
    """A live drawing on a terminal, one line for each event elsewhere, nothing when quiet."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _line: None
    elif console.is_terminal:
        from rich.live import Live

        with Live(tree, console=console, refresh_per_second=8) as live:
            yield lambda _line: live.update(tree)
    else:
        yield lambda line: click.echo(line, err=True) if line else None


def _ended(client: Client, project_id: UUID) -> Project:
    """Give the project once it knows that its run has ended: it hears of it by an event."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while (project := client.projects.get(project_id)).state == "running" and time.monotonic() < limit:
        time.sleep(_POLL_SECONDS)
    return project


def _write(client: Client, project: Project, out: Path) -> bool:
    """Write the project's files, all or none; False when there are none."""
    if project.artefact_id is None:
        return False
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        packed = Path(folder) / "project.tar.gz"
        client.projects.download(project.id, packed)
        unpacked = Path(folder) / "project"
        unpack(packed.read_bytes(), unpacked)
        _require_empty(out)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copytree(unpacked, out, dirs_exist_ok=True)
    return True


def unpack(packed: bytes, folder: Path) -> None:
    """Unpack an archive of regular files into a new folder.

    Raises:
        click.ClickException: It holds something else, or a path that leads outside.
    """
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            stream = archive.extractfile(member) if member.isfile() and member.size <= _LARGEST_FILE else None
            if stream is None or path.is_absolute() or ".." in path.parts:
                raise click.ClickException(
                    f"the archive holds {member.name!r}, which is not unpacked: tell who runs HAL9"
                )
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(stream.read())
            target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _summary(project: Project, out: Path, *, written: bool) -> dict[str, Any]:
    return {
        "verified": project.state == "completed",
        "folder": str(out) if written else None,
        **project.model_dump(mode="json"),
    }


def _tell(project: Project, out: Path, *, written: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    result = project.result
    if result is None:
        console.print(
            f"[red]Nothing was built.[/red] {escape(project.reason or 'The run is still at work: see hal9 runs.')}",
            markup=True,
        )
        return
    console.print(f"\n[bold]{escape(result.title)}[/bold]  {result.files} files" + (f" in {out}" if written else ""))
    for clause in result.built:
        console.print(f"  [green]✓[/green] {escape(clause)}")
    for missing in result.not_done:
        console.print(f"  [yellow]○[/yellow] {escape(missing.text)}  [dim]not done: {escape(missing.reason)}[/dim]")
    console.print(_verification(project))
    console.print(f"Engine: {project.engine or 'none'}. Cost: ${project.cost_microdollars / 1e6:.4f}.")
    if project.state == "completed" and written:
        console.print(f"\nNext:\n  cd {out}\n  make test\n  {_NEXT.get(result.kind, 'make install')}")
    elif project.reason:
        console.print(f"[red]{escape(project.reason)}[/red]")


def _verification(project: Project) -> str:
    result = project.result
    if result is None:
        return ""
    checks = ", ".join(
        f"{check.name} {'passed' if check.passed else 'FAILED'} ({check.seconds:.1f} s)" for check in result.checks
    )
    verdict = "[green]Verified[/green]" if result.verified else "[red]Not verified[/red]"
    return f"{verdict}: {checks}; {result.tests_passed} tests passed; isolation: {result.isolation}."
