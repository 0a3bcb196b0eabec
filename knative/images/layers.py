"""Layers: tar archives of an image's files, the same bytes whenever the files are.

Promises: entries are sorted, belong to user and group 0, carry the time 0 and no names; gzip writes neither time nor
name. The digest of the compressed layer also follows from the builder's zlib; that of the archive (`diff_id`) does not.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_LEVEL: Final = 6
_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """One file of a layer: its bytes, or the target of a symbolic link; or a folder that has a mode of its own."""

    data: bytes = b""
    mode: int = 0o644
    kind: Literal["file", "link", "folder"] = "file"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as a file.

    Attributes:
        path: where it is.
        media_type: `GZIP`.
        digest: of the file, `sha256:…`.
        diff_id: of the archive in it, `sha256:…`.
        size: of the file, in bytes.
        unpacked: of the archive, in bytes.
        history: one line that says what it holds.
    """

    path: Path
    media_type: str
    digest: str
    diff_id: str
    size: int
    unpacked: int
    history: str


class _Hashed(io.RawIOBase):
    """Passes on what is written, and knows its digest and length."""

    def __init__(self, to: io.BufferedIOBase | gzip.GzipFile) -> None:
        self._to = to
        self.sha256 = hashlib.sha256()
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # tarfile and gzip write bytes
        self.sha256.update(data)
        self.length += len(data)
        self._to.write(data)
        return len(data)


def write_layer(files: Mapping[str, Content], path: Path, history: str) -> Layer:
    """Write a compressed layer.

    Args:
        files: by absolute path in the image; the folders around them need not be named.
        path: the file to write.
        history: one line that says what it holds.
    """
    with path.open("wb") as raw:
        outer = _Hashed(raw)
        with gzip.GzipFile("", "wb", _LEVEL, outer, 0) as zipped:
            inner = _Hashed(zipped)
            with tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_READ) as archive:
                for name, content in sorted(_with_folders(files).items()):
                    _add(archive, name, content)
    digest, diff_id = (f"sha256:{one.sha256.hexdigest()}" for one in (outer, inner))
    return Layer(path, GZIP, digest, diff_id, outer.length, inner.length, history)


def _with_folders(files: Mapping[str, Content]) -> dict[str, Content]:
    """Name the folders around the files as well; paths become relative to the root."""
    found: dict[str, Content] = {}
    for name, content in files.items():
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]), Content(kind="folder", mode=0o755))
        found["/".join(parts)] = content
    return found


def _add(archive: tarfile.TarFile, name: str, content: Content) -> None:
    info = tarfile.TarInfo(name)
    info.mode = content.mode
    if content.kind == "folder":
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif content.kind == "link":
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, content.data.decode(), 0o777
        archive.addfile(info)
    else:
        info.size = len(content.data)
        archive.addfile(info, io.BytesIO(content.data))


def compressed(path: Path, folder: Path, history: str) -> Layer:
    """Give a layer that somebody else wrote, compressed: itself when it is, else a file in `folder`, made once.

    Registries and their tools expect compressed layers; the archive's own digest, the `diff_id`, stays what it is.
    """
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return measured(path, history)
    target = folder / f"{digest_of(path)[0].removeprefix('sha256:')}.tar.gz"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        with path.open("rb") as source, partial.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, 0) as zipped:
            shutil.copyfileobj(source, zipped, _READ)
        partial.replace(target)
    return measured(target, history)


def measured(path: Path, history: str) -> Layer:
    """Measure a compressed layer that somebody else wrote.

    Raises:
        OSError: It is not compressed by gzip.
    """
    digest, size = digest_of(path)
    sha256, length = hashlib.sha256(), 0
    with gzip.open(path) as archive:
        while block := archive.read(_READ):
            sha256.update(block)
            length += len(block)
    return Layer(path, GZIP, digest, f"sha256:{sha256.hexdigest()}", size, length, history)


def digest_of(path: Path) -> tuple[str, int]:
    """Give a file's digest, `sha256:…`, and its length in bytes."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256")
        return f"sha256:{sha256.hexdigest()}", file.tell()


def total(layers: Iterable[Layer]) -> tuple[int, int]:
    """Give how many bytes layers take: compressed, and unpacked."""
    found = list(layers)
    return sum(one.size for one in found), sum(one.unpacked for one in found)
