"""What is generated from the code and kept in the repository: each module here gives its files by `files()`.

`hal9 reference` writes them, `hal9 reference --check` fails when one is stale. Promises that the same code gives the
same bytes, whatever the machine and the order.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout: the paths of generated files are relative to it."""


def generated() -> dict[Path, bytes]:
    """Give every generated file, by its path from the checkout's root.

    Raises:
        ValueError: Two modules make the same file.
    """
    files: dict[Path, bytes] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        made: dict[Path, bytes] = getattr(importlib.import_module(f"{__name__}.{module}"), "files", dict)()
        if made.keys() & files.keys():
            raise ValueError(f"knative.reference.{module} makes a file that another module makes")
        files |= made
    return files


def stale() -> list[Path]:
    """Give the generated files that are missing or not what the code says now."""
    return [path for path, content in generated().items() if not _holds(ROOT / path, content)]


def write() -> list[Path]:
    """Write the generated files that are stale, and give them."""
    written = []
    for path, content in generated().items():
        if not _holds(ROOT / path, content):
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_bytes(content)
            written.append(path)
    return written


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
