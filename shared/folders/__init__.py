"""Folders that are written whole, or not at all.

    with staging(out if out.is_dir() else out.absolute().parent) as stage:
        made = stage / "made"
        ...                                   # a full disk shows itself here
        move_in(made, out, stage / "before")

Promises: what is made is made on the file system where it is to stand, so that only renaming is left; what could not be
finished leaves nothing behind, not even the folders that had to be made for it; when a renaming fails, what stood there
before stands there again. What a process leaves behind that was killed, the next one that makes something there takes
away. Does not: keep others from seeing a folder between two of its renamings, or survive the end of the process between
them: what was there then lies in the staging folder (`.hal9-…`), which is left to its owner for that reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PREFIX: Final = ".hal9-"
_HELD: Final = f"{_PREFIX}held-"
"""Of folders that whoever made them holds locked for as long as they live."""
_BEFORE: Final = "before"


@contextmanager
def staging(beside: Path) -> Iterator[Path]:
    """Give an empty folder in another one, for as long as the context is open.

    Args:
        beside: is made when it is not there, and goes again when nothing is in it at the end.

    Raises:
        OSError: It cannot be made or written.
    """
    made = [folder for folder in (beside, *beside.parents) if not folder.exists()]
    try:
        beside.mkdir(parents=True, exist_ok=True)
        _clear(beside)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
        with contextlib.ExitStack() as stack:
            if stack.enter_context(_lock(folder)):  # only then by the name that others may take away
                folder = folder.rename(folder.with_name(folder.name.replace(_PREFIX, _HELD, 1)))
            stack.callback(shutil.rmtree, folder)
            yield folder
    finally:
        for new in made:
            with contextlib.suppress(OSError):  # it was not made, or something is in it by now
                new.rmdir()


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock, which the kernel gives free when the process ends.

    Gives whether it is held: not when somebody else does, or the file system has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clear(beside: Path) -> None:
    """Take away what processes left that were killed, but for what they had put aside of somebody's."""
    for folder in beside.glob(f"{_HELD}*"):
        with contextlib.suppress(OSError), _lock(folder) as dead:
            if dead and not (folder / _BEFORE).exists():
                shutil.rmtree(folder)


def move_in(made: Path, out: Path, before: Path, obsolete: Iterable[str] = ()) -> None:
    """Move everything of a folder into another one, in place of what has the same names there; all of it or nothing.

    Args:
        made: on the same file system.
        out: where it is to stand; is made when it is not there.
        before: a folder, not there yet, for what stood there.
        obsolete: names of what is to go from `out` as well, when it is there.

    Raises:
        OSError: Something could not be moved; everything is as it was.
    """
    if not out.exists():
        made.rename(out)
        return
    before.mkdir()
    with contextlib.ExitStack() as back:
        for name in [*sorted(entry.name for entry in made.iterdir()), *obsolete]:
            _move(out / name, before / name, back)
            _move(made / name, out / name, back)
        back.pop_all()


def replace(made: Path, out: Path, before: Path) -> None:
    """Put a folder in another one's place, whole.

    Args:
        made: on the same file system.
        out: may be there, with whatever is in it.
        before: where that goes, not there yet.

    Raises:
        OSError: It could not be moved; everything is as it was.
    """
    with contextlib.ExitStack() as back:
        _move(out, before, back)
        _move(made, out, back)
        back.pop_all()


def _move(old: Path, new: Path, back: contextlib.ExitStack) -> None:
    """Move something that may be there, and have it moved back when what follows fails."""
    if old.exists() or old.is_symlink():
        old.rename(new)
        back.callback(new.rename, old)
