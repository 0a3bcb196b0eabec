"""A project's archive as a folder on this machine: whole, or not at all.

Promises: nothing that was there is touched; a project stands in its folder only when all of it does
(`shared.folders`); what cannot be written leaves nothing behind. Does not: replace anything (`knative.cli.samples`
does).
"""

from __future__ import annotations

import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import click

from knative.cli import refusals
from knative.cli.refusals import Refusal
from shared import folders
from shared.client import ClientError

if TYPE_CHECKING:
    from pathlib import Path

    from shared.client import Client
    from shared.software.projects import Project

_LARGEST_FILE: Final = 16 << 20


def require(out: Path) -> None:
    """Find out, before any work is done, that a project can be written there.

    Raises:
        click.ClickException: The folder holds something, or cannot be made.
    """
    _require_empty(out)
    require_writable(out)


def require_writable(out: Path) -> None:
    """Find out whether a folder can be made, or written to. Raises as `require`."""
    try:
        with folders.staging(_beside(out)):
            pass
    except OSError as error:
        raise Refusal(f"{out} cannot be written: {error.strerror}. Name another folder with --out.") from None


def write(client: Client, project: Project, out: Path) -> bool:
    """Write a project's files, all or none; False when it has none.

    Raises:
        click.ClickException: The folder holds something by now, or cannot be written; it says how to try again.
    """
    if project.artefact_id is None:
        return False
    _require_empty(out)
    try:
        with folders.staging(_beside(out)) as stage:
            folders.move_in(fetched(client, project, stage), out, stage / "before")
    except (OSError, ClientError) as error:
        raise not_written(error, project, out) from None
    return True


def fetched(client: Client, project: Project, stage: Path) -> Path:
    """Download and unpack a project's archive into a folder for the purpose; give the project's folder in it."""
    packed, unpacked = stage / "project.tar.gz", stage / "project"
    client.projects.download(project.id, packed)
    unpack(packed, unpacked)
    return unpacked


def not_written(error: OSError | ClientError, project: Project, out: Path) -> Refusal:
    """Say that a finished project could not be written, and how to get it."""
    why = f"{out} cannot be written: {error.strerror}." if isinstance(error, OSError) else str(error)
    return refusals.of(
        error,
        f"{why}\nThe project is done and kept; nothing of it was left in {out}. When that is mended, or with another "
        f"folder, get it with\n  hal9 projects download {project.id} --out DIR",
        verified=project.state == "completed",
        project_id=str(project.id),
    )


def _require_empty(out: Path) -> None:
    try:
        if not out.exists() and not out.is_symlink():
            return
        if not out.is_dir():
            raise Refusal(f"{out} is not a folder: name a new one")
        if any(out.iterdir()):
            raise Refusal(f"{out} is not empty: name a new folder, or empty it first")
    except OSError as error:
        raise Refusal(f"{out} cannot be read: {error.strerror}. Name another folder with --out.") from None


def _beside(out: Path) -> Path:
    """Where a project is staged: in its folder where that is there, as it may be a mount, or somebody's own."""
    return out if out.is_dir() else out.absolute().parent


def unpack(packed: Path, folder: Path) -> None:
    """Unpack an archive of regular files into a new folder.

    Raises:
        click.ClickException: It holds something else, or a path that leads outside.
        OSError: It cannot be written.
    """
    folder.mkdir()
    with tarfile.open(packed, mode="r:gz") as archive:
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
