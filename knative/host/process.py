"""One function's process, from its command line to its exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.description import DescriptionError, load
from knative.host.application import Application
from knative.host.limits import BodyBudget, BodyLimits
from knative.host.loading import load_function
from knative.host.server import Server, listen_tcp, listen_unix
from knative.host.settings import HostSettings
from knative.host.starting import IMPORTS, OPEN, Starting
from shared.settings import SettingsError
from shared.settings import load as load_settings
from shared.telemetry import configure_logs, configure_spans, finish_spans, logger

if TYPE_CHECKING:
    import socket

    from knative.description import Deployment

_log = logger(__name__)
_USAGE: Final = "usage: python -m knative.host FOLDER [--deployment NAME] (--port N | --uds PATH)"
_OPTIONS: Final = frozenset({"--deployment", "--port", "--uds"})
_CLOSE_SECONDS: Final = 2.0
_WRONG: Final = 2


class _UsageError(Exception):
    """The command line is wrong."""


def main(arguments: list[str], begun: float | None = None) -> int:
    """Serve a function until SIGTERM.

    Args:
        arguments: the command line, without the program's name.
        begun: when the program's first line ran, by the monotonic clock; now, when left out.

    Returns:
        0 after a drain, 1 when the function cannot be served, 2 when the command line or a setting is wrong.
    """
    starting = Starting(begun)
    try:
        folder, options = _parse(arguments)
        settings = load_settings(HostSettings)
        deployment = _deployment(folder, options.get("--deployment"))
        configure_logs(level=settings.log_level, function=deployment.function.name, deployment=deployment.name)
        for name, value in deployment.environment.items():
            os.environ.setdefault(name, value)
        listening = _listen(options, settings)
    except (_UsageError, DescriptionError, SettingsError, LookupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    try:
        return _run(folder, deployment, settings, listening, starting)
    except SettingsError as error:
        _log.error("settings are wrong", faults=error.faults)
        return _WRONG
    except Exception:  # noqa: BLE001 - whatever it was, it goes into the log and the exit code
        _log.exception("the function cannot be served")
        return 1


def _parse(arguments: list[str]) -> tuple[Path, dict[str, str]]:
    """Read the command line by hand: argparse would cost a twentieth of a cold start."""
    rest, options, folders = list(arguments), dict[str, str](), list[str]()
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name not in _OPTIONS:
            folders.append(word)
        elif equals or rest:
            options[name] = value if equals else rest.pop(0)
        else:
            raise _UsageError(f"{name} needs a value\n{_USAGE}")
    if len(folders) != 1 or folders[0].startswith("-") or ("--port" in options) == ("--uds" in options):
        raise _UsageError(_USAGE)
    if "--port" in options and not (options["--port"].isdecimal() and int(options["--port"]) < 1 << 16):
        raise _UsageError(f"--port must be a number from 0 to 65535, not {options['--port']!r}\n{_USAGE}")
    return Path(folders[0]), options


def _deployment(folder: Path, name: str | None) -> Deployment:
    description = load(folder)
    if name is None:
        return description.deployments()[0]
    return description.deployment(name)


def _listen(options: dict[str, str], settings: HostSettings) -> socket.socket:
    if "--uds" in options:
        return listen_unix(Path(options["--uds"]))
    return listen_tcp(settings.address, int(options["--port"]))


def _run(
    folder: Path, deployment: Deployment, settings: HostSettings, listening: socket.socket, starting: Starting
) -> int:
    import uvloop

    loaded = load_function(folder)
    configure_spans(deployment.name, **{"service.namespace": "hal9", "faas.name": deployment.function.name})
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not look at it again
    gc.enable()
    starting.ended(IMPORTS)

    async def serve() -> None:
        description = deployment.function
        await loaded.open()
        starting.ended(OPEN)
        scale = deployment.scale
        application = Application(loaded, description, scale.concurrency, scale.queue, settings, starting)
        limits = BodyLimits(description)
        budget = BodyBudget(deployment.resources.memory_bytes, limits.most)
        server = Server(application, settings, limits, budget, description.grace_seconds)
        application.warm()
        try:
            await server.serve(listening)
        finally:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await loaded.close()

    uvloop.run(serve())
    finish_spans()
    return 0
