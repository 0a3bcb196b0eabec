"""Where `hal9 demo` leaves its sample: in place of its own last one, unless somebody made that one theirs.

Promises: a folder is replaced only when `hal9 demo` wrote it and nothing in it was changed, added or taken away since,
but for what tools make by themselves (`_MADE_BY_TOOLS`); else the sample goes next to it. The old one goes when the new
one is there. How it is known: `RECORD` in the folder, with the SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from knative.cli import projectfolder
from knative.cli.refusals import Refusal
from shared import folders
from shared.client import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.client import Client
    from shared.software.projects import Project

RECORD: Final = ".hal9-sample.json"
_MADE_BY_TOOLS: Final = frozenset(
    {".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
)
_MADE_BY_TOOLS_SUFFIX: Final = ".egg-info"


def place(wanted: Path) -> Path:
    """Give the folder that a sample may take: the wanted one, else the first of `wanted-2`, `wanted-3` and so on."""
    number, place = 1, wanted
    while not _may_take(place):
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    return place


def require(wanted: Path) -> None:
    """Find out, before any work is done, that a sample can be written there, or next to it.

    Raises:
        click.ClickException: It cannot.
    """
    place(wanted)
    projectfolder.require_writable(wanted.absolute().parent)


def write(client: Client, project: Project, wanted: Path) -> Path | None:
    """Write a project as the sample; give its folder, None when the project has no files.

    Raises:
        click.ClickException: It cannot be written; it says how to get it.
    """
    if project.artefact_id is None:
        return None
    try:
        with folders.staging(wanted.absolute().parent) as stage:
            made = projectfolder.fetched(client, project, stage)
            (made / RECORD).write_text(_record(made), encoding="utf-8")
            target = place(wanted)
            folders.replace(made, target, stage / "before")
    except (OSError, ClientError) as error:
        raise projectfolder.not_written(error, project, wanted) from None
    return target


def _may_take(folder: Path) -> bool:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return False
    return not _is_filled(folder) or _is_untouched_sample(folder)


def _is_filled(folder: Path) -> bool:
    try:
        return folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise Refusal(f"{folder} cannot be read: {error.strerror}. Name another folder with --out.") from None


def _is_untouched_sample(folder: Path) -> bool:
    try:
        recorded = json.loads((folder / RECORD).read_bytes())["files"]
        return bool(recorded == _digests(folder))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _record(folder: Path) -> str:
    document = {"made_by": "hal9 demo, which replaces this folder while nothing in it is changed"}
    return json.dumps({**document, "files": _digests(folder)}, indent=1) + "\n"


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"{_kind(path)}:{hashlib.sha256(_content(path)).hexdigest()}"
        for path in _entries(folder)
        if path.name != RECORD
    }


def _entries(folder: Path) -> Iterator[Path]:
    """Give everything in a folder but what tools make by themselves; an added folder counts, empty as it may be."""
    for path in sorted(folder.iterdir()):
        if path.name in _MADE_BY_TOOLS or path.name.endswith(_MADE_BY_TOOLS_SUFFIX):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _entries(path)


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "folder"
    return "program" if path.stat().st_mode & 0o100 else "file"


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return str(path.readlink()).encode()
    return path.read_bytes() if path.is_file() else b""
