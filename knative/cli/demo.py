"""`hal9 demo`: what `make run` does. The platform, one request for software, and then it stays until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from knative.cli import projectview, refusals, running, samples

if TYPE_CHECKING:
    from shared.software.projects import Project

REQUEST: Final = (
    "An API for a lending library: members have a unique email and a name, books have an ISBN that is unique, a title "
    "and a number of copies. A member can borrow at most 3 books at a time, and a loan is due after 14 days."
)

_INTERRUPTED: Final = (
    "Interrupted. The platform stops; the run goes on when it is started again:\n"
    "  .venv/bin/hal9 up\n"
    "  .venv/bin/hal9 projects list"
)


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/sample"),
    show_default=True,
    help="Folder for the sample project. An earlier sample in it is replaced when nothing in it was changed; else, "
    "and when the folder holds anything else, the new one goes next to it: build/sample-2.",
)
def command(out: Path) -> None:
    """Start the platform, build a sample project from plain English, and stay until Ctrl-C.

    Exit code 0: the project was verified, and the platform stopped on Ctrl-C. 1: something failed; it is said what.
    130: interrupted before the project was there.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever starts us in the background may have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    samples.require(out)
    try:
        _hal9("up")
        project, folder = _sample(out)
        _stay(project, folder)
    finally:
        _hal9("down")


def _hal9(*arguments: str) -> None:
    """Run another command of ours, with its output here; ends this one as that one ended, when it fails."""
    done = subprocess.run([sys.executable, "-m", "knative.cli.main", *arguments], check=False)
    if done.returncode != 0:
        raise SystemExit(refusals.INTERRUPTED if done.returncode == refusals.INTERRUPTED else 1)


def _sample(out: Path) -> tuple[Project, Path]:
    """Have the sample made, and write it."""
    from knative.cli.codegen import made
    from knative.cli.connection import connected

    click.echo(f'\nA request for software goes in, as the demo organisation:\n\n  "{REQUEST}"\n')
    with connected() as client:
        try:
            project = made(client, REQUEST, language="python", engine=None, progress="stdout")
        except refusals.Interruption as interruption:
            raise refusals.Interruption(_INTERRUPTED, **interruption.beside) from None
        folder = samples.write(client, project, out)
    projectview.tell(project, folder)
    if project.state != "completed" or folder is None:
        raise SystemExit(1)
    if folder != out:
        click.echo(f"\n{out} was left as it is: it holds changes, or something that is no sample of `hal9 demo`.")
    return project, folder


def _stay(project: Project, folder: Path) -> None:
    """Say what to type next, and wait for Ctrl-C."""
    home, _ = running.chosen()
    try:
        click.echo(_what_next(project, folder, home.path))
        signal.pause()
    except KeyboardInterrupt:
        click.echo()


def _what_next(project: Project, folder: Path, home: Path) -> str:
    from shared.client import Credentials

    url = Credentials.find(home).url
    there, *then = projectview.what_next(project, folder)
    return f"""
The platform runs on {url}. In another terminal, to try the sample:

  {there}
  {f"{chr(10)}  ".join(then)}

And in this folder:

  .venv/bin/hal9 codegen "…" --out DIR       another project, from your words
  .venv/bin/hal9 projects list               what was made of them
  .venv/bin/hal9 runs list                   what the neurons did
  .venv/bin/hal9 status                      what runs, and how much memory it takes

The API reference is at {url}/reference.

Ctrl-C stops the platform; its data stays in {home}.
"""
