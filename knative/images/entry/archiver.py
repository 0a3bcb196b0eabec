"""`python -m knative.images.entry.archiver`: the archiver of a cluster's backups, in a pod with one volume.

What `hal9 backup archive` does (`knative.platform.archiver`), with a place for restore tests on the volume (TMPDIR),
which is emptied at each start: a test that was killed leaves whole data folders there.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from knative.platform import archiver


def main() -> int:
    """Run; give the exit code."""
    scratch = Path(os.environ["TMPDIR"])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    return archiver.main()


if __name__ == "__main__":
    sys.exit(main())
