"""The broker's process: `python -m knative.platform.broker CONFIGURATION.json`, started by the supervisor.

The configuration: `socket`, `folder`, `sockets` (template of the deployments' sockets, `{deployment}`), `key`, `trust`,
`hostile`, `max_bytes`, `triggers` and `sink`, as `configuration.document` writes them. SIGTERM stops it: what runs gets
two seconds, the rest is delivered after the next start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any, Final

import uvloop

from events import filters
from knative.framing import HeaderLimits
from knative.platform.broker.courier import SocketCourier
from knative.platform.broker.dispatch import Dispatcher, Trigger
from knative.platform.broker.hostile import Hostile
from knative.platform.broker.ingress import Ingress
from knative.platform.broker.rules import Policy
from knative.platform.broker.store import MAX_BYTES, Store, StoreError
from knative.platform.http1 import Limits, Server
from shared.clock import SystemClock
from shared.keys import PrivateKey, Trust
from shared.telemetry import configure_logs
from shared.tokens import Issuer, Verifier

STOP_SECONDS: Final = 2.0
LIMITS: Final = Limits(connections=512, header=HeaderLimits(count=256))


def trigger(document: dict[str, Any]) -> Trigger:
    """Read one trigger of the configuration."""
    return Trigger(
        key=document["key"],
        deployment=document["deployment"],
        audience=document["audience"],
        path=document["path"],
        matches=filters.compile_filters(document["filters"]),
        policy=Policy(**document["policy"]),
        parallel=document["parallel"],
    )


async def serve(configuration: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    clock = SystemClock()
    trust = Trust.load(Path(configuration["trust"]))
    issuer = Issuer(PrivateKey.load(Path(configuration["key"])))
    store = Store(Path(configuration["folder"]), configuration.get("max_bytes", MAX_BYTES))
    template = configuration["sockets"]
    courier = SocketCourier(lambda name: Path(template.replace("{deployment}", name)), issuer.mint, clock)
    sink = trigger(configuration["sink"]) if configuration.get("sink") else None
    triggers = [trigger(document) for document in configuration["triggers"]]
    dispatcher = Dispatcher(triggers, sink, store, courier, clock, Hostile.parse(configuration.get("hostile", "")))
    await dispatcher.start()
    server = Server(Ingress(dispatcher, Verifier(trust)), LIMITS)
    await server.listen_unix(Path(configuration["socket"]))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    await server.close(grace_seconds=STOP_SECONDS)
    await dispatcher.stop(STOP_SECONDS)
    store.close()


def main() -> int:
    """Run the broker; give its exit code."""
    configure_logs(function="broker")
    configuration = json.loads(Path(sys.argv[1]).read_bytes())
    try:
        uvloop.run(serve(configuration))
    except StoreError as error:
        logging.getLogger("hal9.broker").critical("%s", error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
