"""The previous release: the last commit whose images are others than those of HEAD.

    python -m tests.cluster.previous FOLDER

Writes its files into a folder. Exit code 1 where the clone does not reach so far back.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

from knative.images.closure import PACKAGES

ROOT: Final = Path(__file__).resolve().parents[2]


def commit() -> str | None:
    """Give the commit before the last one that changed what images are made of; None when it is not in the clone."""
    changed = _git("log", "-1", "--format=%H", "--", *PACKAGES, "requirements").decode().strip()
    return _git("rev-parse", "--verify", "--quiet", f"{changed}~1").decode().strip() or None


def write(folder: Path) -> bool:
    """Write the files of that commit; False when it is not in the clone."""
    found = commit()
    if found is None:
        return False
    with tarfile.open(fileobj=io.BytesIO(_git("archive", found))) as archive:
        archive.extractall(folder, filter="data")
    return True


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], stdout=subprocess.PIPE, check=False).stdout


if __name__ == "__main__":
    sys.exit(not write(Path(sys.argv[1])))
