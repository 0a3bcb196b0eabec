"""The supervisor's process: `python -m knative.platform --home PATH ...`, started by `hal9 up`.

Says its steps as JSON lines on the descriptor `--progress`: {"step": "..."} and at last {"ready": {...}} or
{"fault": "..."}. Exit codes: 0 after SIGTERM, 1 when it could not start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

import knative
from knative.platform import processes
from knative.platform.home import Home, HomeError, PlatformSettings
from knative.platform.processes import Identity
from knative.platform.supervisor import Platform, StartError
from shared.settings import SettingsError, load
from shared.telemetry import configure_logs

log = logging.getLogger("hal9.supervisor")


class Progress:
    """Tells whoever started us how far we are; nobody may be listening."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def tell(self, **said: Any) -> None:
        """Write one line."""
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, json.dumps(said).encode() + b"\n")
        except OSError:
            self.close()

    def close(self) -> None:
        """Say no more."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


async def run(platform: Platform, progress: Progress) -> int:
    """Start, wait for SIGTERM or SIGINT, stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    starting = loop.create_task(platform.start())
    waiting = loop.create_task(stopping.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    fault = await _outcome(starting)
    if fault is None and not stopping.is_set():
        log.info("ready on %s", platform.url)
        progress.tell(ready={"url": platform.url, "port": platform.port, "pid": os.getpid()})
        progress.close()
        await waiting
    waiting.cancel()
    await platform.stop()
    if fault is not None:
        progress.tell(fault=fault)
        return 1
    return 0


async def _outcome(starting: asyncio.Task[None]) -> str | None:
    """Give why the start failed; None when it did not, or was given up."""
    if not starting.done():
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        return None
    except StartError as error:
        log.critical("%s", error)
        return str(error)
    except Exception as error:
        log.exception("the platform cannot start")
        return f"The platform cannot start ({type(error).__name__}: {error}): see the supervisor's log."
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m knative.platform")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--hostile")
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--functions", type=Path)
    parser.add_argument("--progress", type=int)
    parser.add_argument("--with-parent", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Run the supervisor; give its exit code."""
    arguments = _arguments()
    progress = Progress(arguments.progress)
    if arguments.with_parent:
        processes.die_with_parent(signal.SIGTERM)
    processes.adopt_orphans()
    configure_logs(function="supervisor")
    home = Home.at(arguments.home)
    root = Path(knative.__file__).parents[1]
    try:
        settings = load(PlatformSettings)
        home.make()
        lock = home.lock()
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(Identity.of(os.getpid()).document()).encode(), 0)
    except (SettingsError, HomeError) as error:
        progress.tell(fault=str(error))
        return 1
    if arguments.port is not None:
        settings = dataclasses.replace(settings, port=arguments.port)
    if arguments.hostile is not None:
        settings = dataclasses.replace(settings, hostile=arguments.hostile)
    if arguments.replicas is not None:
        settings = dataclasses.replace(settings, replicas=arguments.replicas)
    platform = Platform(
        home, settings, root, dict(os.environ), lambda step: progress.tell(step=step),
        arguments.functions or root / "functions",
    )  # fmt: skip
    try:
        return uvloop.run(run(platform, progress))
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
