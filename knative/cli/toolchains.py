"""`hal9 toolchains`: install what generated projects need for their verification, once, from our own lock file.

Promises: only what the lock file names is installed, each file checked against its hash, nothing is built; installing
again what is there does nothing; a half-made toolchain is never taken for a whole one. Does not: download anything
later: verification has no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

import knative

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(knative.__file__).parents[1]
LOCKS: Final = {"python": ROOT / "requirements" / "generated-python.lock"}
STAMP: Final = "hal9-toolchain.json"


@click.group()
def command() -> None:
    """Install what generated projects need for their verification."""


@command.command("install")
@click.argument("language", type=click.Choice(sorted(LOCKS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def install(*, language: str, as_json: bool) -> None:
    """Install the toolchain of a language, or do nothing when it is there and current."""
    target = folder(language)
    wanted = _fingerprint(language)
    began = time.monotonic()
    with _alone(target):
        current = _installed(language) == wanted
        if not current:
            if not as_json:
                click.echo(f"Installing the toolchain for {language} into {target} (about half a minute) …", err=True)
            _make(language, target, wanted)
    if as_json:
        seconds = round(time.monotonic() - began, 3)
        told = {"language": language, "path": str(target), "installed": not current, "seconds": seconds}
        click.echo(json.dumps(told))
    else:
        click.echo(f"The toolchain for {language} is {'already' if current else 'now'} in {target}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(*, as_json: bool) -> None:
    """Show which toolchains there are, and whether they are current."""
    found = [_about(language) for language in sorted(LOCKS)]
    if as_json:
        click.echo(json.dumps(found))
        return
    for about in found:
        click.echo(f"{about['language']}: {about['state']}, {about['path']}")


def folder(language: str) -> Path:
    """Give where the toolchain of a language is, or would be."""
    return Path(sys.prefix) / "toolchains" / language


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Let one installation at a time work on a toolchain."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock").open("w")
    except OSError as error:
        raise click.ClickException(
            f"The folder {target.parent} cannot be written ({error.strerror}): install HAL9 where you may write."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _about(language: str) -> dict[str, str]:
    installed = _installed(language)
    state = "missing" if installed is None else "current" if installed == _fingerprint(language) else "outdated"
    return {"language": language, "path": str(folder(language)), "state": state}


def _fingerprint(language: str) -> str:
    """Give what a toolchain is known by: its lock file and the Python that it is for."""
    try:
        lock = LOCKS[language].read_bytes()
    except OSError as error:
        raise click.ClickException(f"{LOCKS[language]} is missing: it names what the toolchain holds.") from error
    return hashlib.sha256(lock + sys.version.encode()).hexdigest()


def _installed(language: str) -> str | None:
    try:
        return str(json.loads((folder(language) / STAMP).read_bytes())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make(language: str, target: Path, fingerprint: str) -> None:
    """Make a virtual environment, stamped when it is whole.

    It is made at its place, for the scripts in it name that place; the stamp comes last, and an unstamped one is made
    anew.
    """
    shutil.rmtree(target, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(target)], "the virtual environment cannot be made")
    python = str(target / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "install"]
    hashed = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(LOCKS[language])]
    _run([*pip, *hashed], "the packages cannot be installed")
    (target / STAMP).write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")


def _run(arguments: list[str], fault: str) -> None:
    about = {name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}}
    done = subprocess.run(arguments, env=about, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()[-2000:]
        raise click.ClickException(f"{fault}:\n{said}\nCheck the network and the free disk space, then try again.")
