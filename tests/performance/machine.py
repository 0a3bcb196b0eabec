"""Facts about the machine that figures depend on; neither its name nor a path of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """Give processor, memory, kernel, Python, and how busy the machine is with other things."""
    return {
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_megabytes": int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": ".".join(platform.release().split("-", maxsplit=1)[0].split(".")[:2]),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _first(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"
