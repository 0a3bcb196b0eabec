"""`kubectl`, against the cluster of KUBECONFIG."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

_PATIENCE_SECONDS = 300.0
_NOT_SENT = "Unable to connect to the server"


def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> str:
    """Run it; give what it printed. What a busy server did not even take is sent again."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while True:
        done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
        if _NOT_SENT not in done.stderr or time.monotonic() > limit:
            break
        time.sleep(1)
    assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def listed(*arguments: str) -> list[dict[str, Any]]:
    """Give objects, asking again while a busy server does not answer: no answer is not the same as no objects."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            found: list[dict[str, Any]] = json.loads(kubectl("get", *arguments, "-o", "json"))["items"]
        except AssertionError:
            if time.monotonic() > limit:
                raise
            time.sleep(1)
        else:
            return found
