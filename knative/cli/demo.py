"""`hal9 demo`: what `make run` does. The platform, one request for software, and then it stays until Ctrl-C."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from knative.cli import running

REQUEST: Final = (
    "An API for a lending library: members have a unique email and a name, books have an ISBN that is unique, a title "
    "and a number of copies. A member can borrow at most 3 books at a time, and a loan is due after 14 days."
)
_MADE_BY_US: Final = "PROVENANCE.json"


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/sample"),
    show_default=True,
    help="Folder for the sample project; an earlier sample in it is replaced.",
)
def command(out: Path) -> None:
    """Start the platform, build a sample project from plain English, and stay until Ctrl-C.

    Exit code 0: the project was verified, and the platform stopped on Ctrl-C. 1: something failed; it is said what.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever starts us in the background may have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    _clear(out)
    try:
        _hal9("up")
        click.echo(f'\nA request for software goes in, as the demo organisation:\n\n  "{REQUEST}"\n')
        _hal9("codegen", REQUEST, "--lang", "python", "--out", str(out))
        _say_what_next(out)
        signal.pause()
    except KeyboardInterrupt:
        click.echo()
    finally:
        _hal9("down")


def _clear(out: Path) -> None:
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / _MADE_BY_US).is_file():
        raise click.ClickException(f"{out} holds something that is no sample of ours: name another folder with --out")
    shutil.rmtree(out)


def _hal9(*arguments: str) -> None:
    """Run another command of ours, with its output here; ends this one when it fails."""
    done = subprocess.run([sys.executable, "-m", "knative.cli.main", *arguments], check=False)
    if done.returncode != 0:
        raise SystemExit(1)


def _say_what_next(out: Path) -> None:
    home, _ = running.chosen()
    credentials = json.loads((home.path / "credentials.json").read_text(encoding="utf-8"))
    url = credentials["url"]
    click.echo(
        f"""
The platform runs on {url}. In another terminal:

  cd {out} && make install && make test      the project's own tests, on its own
  .venv/bin/hal9 codegen "…" --out DIR       another project, from your words
  .venv/bin/hal9 runs list                   what the neurons did
  .venv/bin/hal9 status                      what runs, and how much memory it takes
  {url}/reference         the API reference

Ctrl-C stops the platform; its data stays in {home.path}.
"""
    )
