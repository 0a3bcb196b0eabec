"""Bytecode of sources that lie elsewhere later, the same bytes whenever the sources and the interpreter are.

Files are "unchecked hash" .pyc files (PEP 552): the interpreter in the image neither compares times, which a layer has
not, nor reads the source. What marshal writes depends on which equal strings were alive, so that every batch is
compiled by a process of its own, with nothing else loaded and a fixed hash seed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPILE: Final = """
import json, py_compile, sys
for number, path in enumerate(json.load(open("paths.json"))):
    try:
        py_compile.compile(f"{number}.py", f"{number}.pyc", path, True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError as error:
        print(error.msg.strip().splitlines()[-1], path, file=sys.stderr)
"""


def compiled(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Compile sources for the Python that runs this.

    Args:
        sources: by absolute path in the image, which tracebacks name.

    Returns:
        by absolute path of the .pyc file (PEP 3147); what is no valid source, a template of one say, is not among them.
    """
    paths = sorted(sources)
    with tempfile.TemporaryDirectory(prefix="hal9-bytecode-") as name:
        folder = Path(name)
        (folder / "paths.json").write_text(json.dumps(paths), encoding="utf-8")
        for number, path in enumerate(paths):
            (folder / f"{number}.py").write_bytes(sources[path])
        subprocess.run(
            [sys.executable, "-s", "-S", "-B", "-P", "-W", "ignore", "-c", _COMPILE],
            cwd=folder,
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return {
            _cached(path): (folder / f"{number}.pyc").read_bytes()
            for number, path in enumerate(paths)
            if (folder / f"{number}.pyc").exists()
        }


def _cached(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
