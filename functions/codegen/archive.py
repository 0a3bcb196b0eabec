"""A project as files: written into a folder for its verification, packed into an archive to be kept.

Promises: the same tree gives the same bytes (no time, no user, one order), so that its digest names it; nothing is
written outside the folder. `PROVENANCE.json` says for every file which engine and which neuron made it, and what of the
specification it implements.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from shared.software.source import SourceFile, SourceTree

MEDIA_TYPE: Final = "application/gzip"
PROVENANCE: Final = "PROVENANCE.json"


def provenance(tree: SourceTree) -> str:
    """Say who made each file, as a JSON document."""
    files = {
        file.path: {"engine": file.engine, "neuron": file.neuron, "implements": list(file.implements)}
        for file in tree.files
    }
    return json.dumps({"made_by": "HAL9", "files": files}, indent=2, sort_keys=True) + "\n"


def write(tree: SourceTree, folder: Path) -> None:
    """Write every file of the tree, and its provenance, into an empty folder."""
    for file in tree.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")
        path.chmod(_mode(file))
    (folder / PROVENANCE).write_text(provenance(tree), encoding="utf-8")


def pack(tree: SourceTree) -> bytes:
    """Give the tree as a gzip-compressed tar archive (POSIX.1-2001), every path at its top."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        members = {file.path: (file.content, _mode(file)) for file in tree.files}
        members[PROVENANCE] = (provenance(tree), 0o644)
        for path in sorted(members):
            content, mode = members[path]
            data = content.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _mode(file: SourceFile) -> int:
    return 0o755 if file.executable else 0o644
