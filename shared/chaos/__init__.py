"""Named points at which a process can be killed, so that tests can prove what survives it.

Production code marks a point with `point(NAME)`, where NAME comes from `register(name, doc)` at the module's top. A
point is a no-op (one test of an empty dictionary) unless this process was started with
`HAL9_CHAOS_KILL=name[:n][,name[:n]…]`: then the n-th pass through that point (n from 1, counted in this process) ends
the process with SIGKILL, exactly as the kernel's memory killer or a power failure would: no handler runs, nothing is
flushed.

Promises: a point fires once for each `HAL9_HOME` (a marker file under `$HAL9_HOME/chaos/` is created before the kill,
and whoever finds it goes on), so that a restarted process gets past it. Does not: simulate a slow disk or network; the
hostile broker of the local platform does that.
"""

from __future__ import annotations

import contextlib
import os
import signal
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Killed", "observed", "point", "points", "register"]

_DOCS: Final[dict[str, str]] = {}


class Killed(BaseException):
    """What an observer raises to stand for the death of the process.

    A `BaseException`, so that no `except Exception` of the code under test survives what a real SIGKILL would not let
    it survive.
    """


def register(name: str, doc: str) -> str:
    """Declare a point and give back its name.

    Args:
        name: `<thing>.<moment>`, for example `step.claim.committed`; unique in the whole project.
        doc: One sentence: where the point lies, and what must be true after a kill there.

    Raises:
        ValueError: The name is taken with another sentence.
    """
    if _DOCS.setdefault(name, doc) != doc:
        raise ValueError(f"the chaos point {name!r} is registered twice")
    return name


def points() -> dict[str, str]:
    """Give every point that the modules imported so far have registered, by name, with its sentence."""
    return dict(sorted(_DOCS.items()))


def _armed(environ: Mapping[str, str]) -> dict[str, int]:
    """Read `HAL9_CHAOS_KILL`: the point's name -> how many passes are left until the kill."""
    armed: dict[str, int] = {}
    for item in filter(None, environ.get("HAL9_CHAOS_KILL", "").split(",")):
        name, _, count = item.strip().partition(":")
        armed[name] = int(count or 1)
    return armed


_left: Final[dict[str, int]] = _armed(os.environ)
_observer: ContextVar[Callable[[str], None] | None] = ContextVar("observer", default=None)


def point(name: str) -> None:
    """Pass a point: end the process here if it was started to be killed here."""
    observer = _observer.get()
    if observer is not None:
        observer(name)
    if _left and name in _left:
        _left[name] -= 1
        if _left[name] == 0 and _first(name):
            os.kill(os.getpid(), signal.SIGKILL)


def _first(name: str) -> bool:
    """Create the point's marker file; False when an earlier process already died here."""
    folder = Path(os.environ.get("HAL9_HOME", ".hal9")) / "chaos"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def observed(observer: Callable[[str], None]) -> Iterator[None]:
    """Call `observer(name)` at every point passed inside the block, by this task and those that it starts.

    It may raise `Killed` to stand for a kill in the same process. Tasks that run side by side are other processes,
    which it does not touch.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)
