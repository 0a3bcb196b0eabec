"""`python -m knative.host`: one function's process."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time


def _leave_at_once(number: int, frame: object) -> None:
    """End when asked to before we serve: as process 1, SIGTERM would be ignored without a handler."""
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, _leave_at_once)
    gc.disable()  # what is imported stays: looking for cycles meanwhile costs a tenth of the start. `_run` enables it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it reads the metadata of every package
    from knative.host.process import main

    sys.exit(main(sys.argv[1:], begun))
