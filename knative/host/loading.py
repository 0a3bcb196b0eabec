"""Import a function's `main.py`."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Loaded:
    """An imported function.

    Attributes:
        handle: the target.
        function: the `Function` behind it; None when main.py has none, then it opens nothing.
    """

    handle: Callable[[Request], Awaitable[Response]]
    function: Any

    async def open(self) -> None:
        """Open the resources."""
        if self.function is not None:
            await self.function.open()

    async def check(self) -> None:
        """Return when every need answers; raise when one does not."""
        if self.function is not None:
            await self.function.check()

    async def close(self) -> None:
        """Close the resources."""
        if self.function is not None:
            await self.function.close()


def load_function(folder: Path) -> Loaded:
    """Import `main.py` of a folder: as a module of its package when the folder is one, or else by itself.

    Raises:
        LookupError: it has no `handle`.
        ImportError: it cannot be imported.
    """
    folder = folder.resolve()
    parts, root = ["main"], folder
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = importlib.import_module(".".join(parts))
    handle = getattr(module, "handle", None)
    if not callable(handle):
        missing = f"{folder / 'main.py'} has no `handle`: define `async def handle(request) -> Response`"
        raise LookupError(missing)  # noqa: TRY004 - a fault of the folder, not of an argument
    function = getattr(module, "function", None)
    if function is not None and handle is function.handle:
        handle = function.answer  # the same, one call less
    return Loaded(handle, function)
