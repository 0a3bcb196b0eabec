"""The file system that a base image's layers give, as names: enough to find its interpreter and its users.

A folder of this machine can stand for it. Promises: whiteouts (OCI image specification, layer.md) and symbolic links
are followed as a runtime does. Does not: unpack anything to the disk.
"""

from __future__ import annotations

import posixpath
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_MOST_LINKS: Final = 40


class FolderFilesystem:
    """The file system below a folder of this machine, such as the one that this process runs in.

    Args:
        root: the folder that is `/`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def resolved(self, path: str) -> str | None:
        """Follow every symbolic link of a path; None when nothing is there."""
        there = self._at(path)
        return "/" + str(there.resolve().relative_to(self._root.resolve())) if there.exists() else None

    def placed(self, path: str) -> str:
        """Give where a new file of that path goes, with the links of the folders around it followed."""
        folder, _, name = path.rpartition("/")
        return posixpath.join(self.resolved(folder) or self.placed(folder), name) if folder else path

    def program(self, path: str) -> str | None:
        """Give the file behind a path when it may be run, else None."""
        there = self._at(path)
        return self.resolved(path) if there.is_file() and there.stat().st_mode & 0o111 else None

    def read(self, path: str) -> bytes | None:
        """Give what a file holds; None when there is none."""
        return self._at(path).read_bytes() if self._at(path).is_file() else None

    def stamp(self, path: str) -> tuple[int, int] | None:
        """Give a file's time in whole seconds and its size; None when there is none."""
        there = self._at(path)
        return (int(there.stat().st_mtime), there.stat().st_size) if there.is_file() else None

    def below(self, folder: str) -> Iterator[str]:
        """Give the absolute paths of every file below a folder, sorted."""
        for path in sorted(self._at(folder).rglob("*")):
            if not path.is_dir():
                yield "/" + str(path.relative_to(self._root))

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Give what many files hold."""
        return {path: data for path in paths if (data := self.read(path)) is not None}


@dataclass(frozen=True, slots=True)
class _Entry:
    layer: Path
    member: tarfile.TarInfo


class RootFilesystem:
    """The files of layers laid over one another.

    Args:
        layers: tar archives, compressed or not, the lowest first.
    """

    def __init__(self, layers: Sequence[Path]) -> None:
        self._entries: dict[str, _Entry] = {}
        for layer in layers:
            self._lay(layer)

    def _lay(self, layer: Path) -> None:
        added: dict[str, _Entry] = {}
        with tarfile.open(layer) as archive:
            for member in archive:
                name = posixpath.normpath("/" + member.name)
                folder, _, last = name.rpartition("/")
                if last == _OPAQUE:
                    self._remove_below(folder or "/")
                elif last.startswith(_WHITEOUT):
                    removed = f"{folder}/{last.removeprefix(_WHITEOUT)}"
                    self._entries.pop(removed, None)
                    self._remove_below(removed)
                else:
                    added[name] = _Entry(layer, member)
        self._entries |= added

    def _remove_below(self, folder: str) -> None:
        prefix = folder.rstrip("/") + "/"
        for name in [one for one in self._entries if one.startswith(prefix)]:
            del self._entries[name]

    def resolved(self, path: str) -> str | None:
        """Follow every symbolic link of a path; None when nothing is there."""
        found = self._followed(path)
        return found if found is not None and (found in self._entries or self._holds(found)) else None

    def _followed(self, path: str) -> str | None:
        """Follow every symbolic link of a path, whether something is at its end or not; None for a circle."""
        done, left, links = "/", [part for part in path.split("/") if part], 0
        while left:
            here = posixpath.normpath(posixpath.join(done, left.pop(0)))
            entry = self._entries.get(here)
            if entry is None or not entry.member.issym():
                done = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            target = entry.member.linkname
            done = "/" if target.startswith("/") else done
            left = [one for one in target.split("/") if one] + left
        return done

    def _holds(self, folder: str) -> bool:
        """Whether it is a folder that no archive names, but that files lie in."""
        return folder == "/" or any(name.startswith(f"{folder}/") for name in self._entries)

    def placed(self, path: str) -> str:
        """Give where a new file of that path goes, with the links of the folders around it followed.

        A layer that named `/bin/x` where `/bin` is a link would put a folder in its place.
        """
        folder, _, name = path.rpartition("/")
        return posixpath.join(self._followed(folder) or "/", name)

    def program(self, path: str) -> str | None:
        """Give the file behind a path when it may be run, else None."""
        found = self.resolved(path)
        entry = self._entries.get(found) if found else None
        return found if entry and not entry.member.isdir() and entry.member.mode & 0o111 else None

    def read(self, path: str) -> bytes | None:
        """Give what a file holds; None when there is none."""
        found = self.resolved(path)
        entry = self._entries.get(found) if found else None
        if entry is None:
            return None
        with tarfile.open(entry.layer) as archive:
            file = archive.extractfile(entry.member.name)  # by name: a hard link needs its archive
            return file.read() if file else None

    def stamp(self, path: str) -> tuple[int, int] | None:
        """Give a file's time in whole seconds and its size; None when there is none."""
        found = self.resolved(path)
        entry = self._entries.get(found) if found else None
        return (int(entry.member.mtime), entry.member.size) if entry else None

    def below(self, folder: str) -> Iterator[str]:
        """Give the absolute paths of everything below a folder, sorted."""
        prefix = folder.rstrip("/") + "/"
        yield from sorted(name for name in self._entries if name.startswith(prefix))

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Give what many regular files hold, reading each layer once."""
        wanted = {path: entry for path in paths if (entry := self._entries.get(path)) and entry.member.isreg()}
        found: dict[str, bytes] = {}
        for layer in {entry.layer for entry in wanted.values()}:
            here = {entry.member.name: path for path, entry in wanted.items() if entry.layer == layer}
            with tarfile.open(layer) as archive:
                for member in archive:
                    if member.name in here and (file := archive.extractfile(member)) is not None:
                        found[here[member.name]] = file.read()
        return found
