"""The supervisor: owns every process of one platform, from `hal9 up` to `hal9 down`.

Promises: the platform is ready when the gateway answers; what dies is started again (servers, broker, instances), later
each time; SIGTERM leaves no process, and neither does kill -9 (the kernel ends the children, the next start ends what
is left). What stands in the way of a start is one sentence that says what to do. Does not: keep data (servers and
broker do), or load a database driver (`bootstrap` does), but for a platform with replicas (`keeper`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from knative.description import DescriptionError, load_all
from knative.framing import HeaderLimits
from knative.platform import environment, processes
from knative.platform.activator import Deployment
from knative.platform.broker import configuration
from knative.platform.broker.hostile import Hostile, HostileError
from knative.platform.control import Control
from knative.platform.externalcache import fault
from knative.platform.forwarding import Forwarder
from knative.platform.home import HomeError, replace
from knative.platform.http1 import Limits, Server
from knative.platform.instances import ProcessLauncher
from knative.platform.processes import Child, Identity
from knative.platform.scaling import Scale, start_pause
from knative.platform.schedules import Schedules, Tick
from knative.platform.servers import ServerError, Servers
from knative.platform.upstream import Pool, UpstreamLost, exchange
from shared.clock import SystemClock
from shared.keys import KeyFileError, PrivateKey, write_trust
from shared.tokens import Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from knative import description
    from knative.platform.home import Home, PlatformSettings
    from knative.platform.keeper import Keeper

log = logging.getLogger("hal9.supervisor")

GATEWAY: Final = "gateway"
TEND_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 0.5
BROKER_READY_SECONDS: Final = 20.0
BOOTSTRAP_SECONDS: Final = 120.0
DRAIN_SECONDS: Final = 12.0
ARCHIVER_GRACE_SECONDS: Final = 10.0
LOG_BYTES: Final = 16 * 1024 * 1024
PUBLIC_LIMITS: Final = Limits(connections=1024)
INNER_LIMITS: Final = Limits(connections=4096, header=HeaderLimits(count=256))


class StartError(RuntimeError):
    """The platform cannot start; the text says what to do."""


@dataclass(slots=True)
class Platform:
    """Everything that one supervisor runs.

    Attributes:
        home: Its folder.
        settings: Its settings.
        root: Where the packages are.
        user: The environment in which it was started.
        tell: Hears of each step, for people.
        functions: Where the functions' folders are; `root/functions` unless a test says otherwise.
        deployments: What is kept at work of each function, by the deployment's name.
        servers: PostgreSQL and Valkey, once they are started.
        keeper: Watches replicas, where there are any.
        broker: The broker's process.
        port: Where the gateway listens.
        ready: Whether the gateway has answered.
        archiver: Ships the log, where backups want it.
        broker_restarts: How often the broker had to be started again.
        server_restarts: The same of the servers.
    """

    home: Home
    settings: PlatformSettings
    root: Path
    user: Mapping[str, str]
    tell: Callable[[str], None]
    functions: Path
    deployments: dict[str, Deployment] = field(default_factory=dict)
    servers: Servers | None = None
    keeper: Keeper | None = None
    broker: Child | None = None
    port: int = 0
    ready: bool = False
    archiver: Child | None = None
    broker_restarts: int = 0
    server_restarts: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _doors: list[Server] = field(default_factory=list)
    _schedules: Schedules | None = None
    _launcher: ProcessLauncher | None = None
    _addresses: environment.Addresses | None = None
    _listening: socket.socket | None = None
    _began: float = field(default_factory=time.time)

    async def start(self) -> None:
        """Start everything, and return when the gateway answers.

        Raises:
            StartError: It cannot be started; the text says what to do. What was started must be stopped.
        """
        try:
            await self._start()
        except (ServerError, HomeError, DescriptionError, KeyFileError, HostileError) as error:
            raise StartError(str(error)) from error

    async def _start(self) -> None:
        Hostile.parse(self.settings.hostile)
        self._listening = _bind(self.settings.port)
        self.port = self._listening.getsockname()[1]
        await self._end_leftovers()
        described = load_all(self.functions)
        deployments = {one.name: one for function in described for one in function.deployments()}
        await self._start_servers()
        self._make_keys([function.name for function in described])
        self.tell("preparing the database")
        await self._bootstrap()
        self.tell("starting the broker")
        ticks = self._ticks(deployments.values())
        self._write_broker_configuration(list(deployments.values()), ticks)
        await self._start_broker()
        self.tell("starting functions")
        await self._open_doors(described, deployments)
        self._start_schedules(ticks)
        watches = (self._tend, self._watch_servers, self._watch_broker, self._watch_archiver, self._keep)
        self._tasks += [self._task(work()) for work in watches]
        await self._open_gateway()
        self.write_state()
        self.ready = True

    async def stop(self) -> None:
        """Stop everything in the order in which nothing is lost, and leave no process."""
        log.info("stopping")
        if self._schedules is not None:
            self._schedules.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # the keeper may be starting a server
        if self._listening is not None:
            self._listening.close()
        await asyncio.gather(*(door.close(grace_seconds=0.2) for door in self._doors))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*(deployment.close() for deployment in self.deployments.values()))
        log.info("functions have ended")
        if self.broker is not None:
            await self.broker.stop(5.0)
        log.info("the broker has ended")
        if self.archiver is not None:
            await self.archiver.stop(ARCHIVER_GRACE_SECONDS)
        if self.servers is not None:
            await self.servers.stop()
        log.info("the servers have ended")
        left = [Identity.of(pid) for pid in processes.descendants(os.getpid())]
        await processes.end(left, 1.0)
        processes.end_adopted(())
        with contextlib.suppress(OSError):
            self.home.state_file.unlink()
        if not self.home.run.is_relative_to(self.home.path):
            shutil.rmtree(self.home.run, ignore_errors=True)

    # starting

    async def _end_leftovers(self) -> None:
        """End what an earlier supervisor left: known by the state (id and start time) and by its mark."""
        state = self.home.read_state() or {}
        known = [Identity.read(document) for document in _flat(state.get("pids", {}))]
        found = {identity for identity in [*known, *processes.marked(self.home.mark)] if identity.pid != os.getpid()}
        left = [identity for identity in found if identity.alive]
        if left:
            self.tell("ending what an earlier platform left")
            log.warning("ending %d processes that an earlier platform left", len(left))
            await processes.end(left, 2.0)

    async def _start_servers(self) -> None:
        if self.settings.cache and (said := await fault(self.settings.cache)) is not None:
            raise StartError(said)
        external = self.settings.shards
        if external and not self.settings.shards_admin:
            raise StartError(
                "HAL9_SHARDS is set, HAL9_SHARDS_ADMIN is not: set it to the same servers with the owner's role."
            )
        if not external or not self.settings.cache:
            self.tell("starting PostgreSQL and Valkey")
            self.servers = Servers(
                self.home.servers, self.home.run, shards=self.settings.shard_count, replicas=self.settings.replicas
            )
            if external:
                self.servers.postgres.clear()
                self.servers.replicated.clear()
            await self.servers.start()
            await self._start_keeper(self.servers)
        made = self.servers
        shards = external or (made.shards_dsn if made else "")
        admin = (self.settings.shards_admin if external else None) or (made.shards_admin_dsn if made else "")
        cache = self.settings.cache or (made.cache_url if made else "")
        self._addresses = environment.Addresses(_split(shards), _split(admin), cache)

    async def _start_keeper(self, servers: Servers) -> None:
        if not servers.replicated:
            return
        from knative.platform.keeper import Keeper  # with a database driver, which nobody else needs here

        self.tell("starting replicas")
        self.keeper = Keeper(servers.replicated)
        await self.keeper.start()
        self._tasks.append(self._task(self.keeper.run()))

    def _make_keys(self, functions: Sequence[str]) -> None:
        """Give every process its key, keeping those that are there."""
        issuers = {"platform": "platform", "broker": "broker"}
        issuers |= {name: "gateway" if name == GATEWAY else f"function:{name}" for name in functions}
        keys = []
        for name, issuer in issuers.items():
            path = self.home.keys / f"{name}.json"
            if not path.exists():
                PrivateKey.generate(issuer).write(path)
            keys.append(PrivateKey.load(path))
        write_trust(self.home.trust_file, keys)

    async def _bootstrap(self) -> None:
        addresses = self._given()
        about = environment.plain(self.user, self.home) | {
            "HAL9_SHARDS": ",".join(addresses.shards),
            "HAL9_SHARDS_ADMIN": ",".join(addresses.shards_admin),
            "HAL9_REGION": self.settings.region,
            "HAL9_REPLICAS": str(self.settings.replicas),
            "HAL9_DATA_KEYS": self.user.get("HAL9_DATA_KEYS") or self.home.defaults["HAL9_DATA_KEYS"],
        }
        command = [sys.executable, "-m", "knative.platform.bootstrap", str(self.home.path), self.url]
        output = self.home.log("bootstrap")
        output.unlink(missing_ok=True)
        child = Child("bootstrap", command, self.root, about, output)
        try:
            async with asyncio.timeout(BOOTSTRAP_SECONDS):
                code = await child.ended()
        except TimeoutError:
            code = await child.stop(1.0)
        if code != 0:
            said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise StartError(said[-1] if said else f"The database could not be prepared: see {output}.")

    def _ticks(self, deployments: Sequence[description.Deployment] | Any) -> list[Tick]:
        return [
            Tick(one.name, schedule.name, schedule.every_seconds, schedule.type, self.settings.region)
            for one in deployments
            for schedule in one.schedules
        ]

    def _write_broker_configuration(self, deployments: list[description.Deployment], ticks: list[Tick]) -> None:
        told = configuration.document(
            deployments, ticks, self.home, instances=self.settings.instances, hostile=self.settings.hostile
        )
        replace(self._broker_configuration, json.dumps(told, indent=1).encode(), 0o600)

    @property
    def _broker_configuration(self) -> Path:
        return self.home.broker / "configuration.json"

    async def _start_broker(self) -> None:
        command = [sys.executable, "-m", "knative.platform.broker", str(self._broker_configuration)]
        output = self.home.log("broker")
        offset = output.stat().st_size if output.exists() else 0
        with contextlib.suppress(FileNotFoundError):
            self.home.broker_socket.unlink()
        self.broker = Child("broker", command, self.root, environment.plain(self.user, self.home), output)
        limit = time.monotonic() + BROKER_READY_SECONDS
        pool = Pool(str(self.home.broker_socket))
        while self.broker.running and time.monotonic() < limit:
            with contextlib.suppress(UpstreamLost, OSError):
                await exchange(pool, b"HEAD", b"/status", [])
                return
            await asyncio.sleep(0.02)
        raise StartError(_last_message(output, offset) or f"The broker does not start: see {output}.")

    async def _open_doors(
        self, described: Sequence[description.FunctionDescription], deployments: dict[str, description.Deployment]
    ) -> None:
        addresses = self._given()
        environments = {
            one.name: environment.of_deployment(one, described, self.home, addresses, self.user, self.settings.region)
            for one in deployments.values()
        }
        self._launcher = ProcessLauncher(self.home, self.root, deployments, environments)
        for one in deployments.values():
            scale = Scale(
                minimum=min(one.scale.min, self.settings.instances),
                maximum=max(1, min(one.scale.max, self.settings.instances)),
                concurrency=one.scale.concurrency,
                idle_seconds=one.scale.idle_seconds,
                queue=max(one.scale.queue, one.scale.concurrency),
            )
            made = Deployment(one.name, scale, self._launcher, SystemClock(), one.function.timeout_seconds + 5.0)
            self.deployments[one.name] = made
            door = Server(Forwarder(made), INNER_LIMITS)
            await door.listen_unix(self.home.deployment_socket(one.name))
            self._doors.append(door)
        control = Server(Control(self), INNER_LIMITS)
        await control.listen_unix(self.home.control_socket)
        self._doors.append(control)

    def _start_schedules(self, ticks: Sequence[Tick]) -> None:
        issuer = Issuer(PrivateKey.load(self.home.keys / "platform.json"))
        self._schedules = Schedules(
            ticks, Pool(str(self.home.broker_socket)), lambda: issuer.mint("broker"), SystemClock()
        )
        self._schedules.start()

    async def _open_gateway(self) -> None:
        """Let the public in, once the gateway answers."""
        gateway = self.deployments.get(GATEWAY)
        if gateway is None or self._listening is None:
            raise StartError(f"There is no function named {GATEWAY} in {self.functions}.")
        gateway.tend()
        pool = Pool(str(self.home.deployment_socket(GATEWAY)))
        status, _, content = await exchange(pool, b"GET", b"/healthz/ready", [])
        if status != 200:
            raise StartError(
                f"The gateway does not answer ({status}): see {self.home.log(GATEWAY)}. {_detail(content)}"
            )
        door = Server(Forwarder(gateway, public=True), PUBLIC_LIMITS)
        await door.listen_on(self._listening)
        self._doors.append(door)

    def _given(self) -> environment.Addresses:
        if self._addresses is None:
            raise StartError("The servers were not started.")
        return self._addresses

    # running

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_complain)
        return task

    async def _tend(self) -> None:
        while True:
            for deployment in self.deployments.values():
                deployment.tend()
            await asyncio.sleep(TEND_SECONDS)

    async def _watch_servers(self) -> None:
        failures = 0
        while self.servers is not None:
            await asyncio.sleep(WATCH_SECONDS)
            for server in self.servers.dead():
                log.warning("%s ended and is started again", server.name)
                try:
                    await server.start()
                    self.server_restarts += 1
                    failures = 0
                except ServerError:
                    failures += 1
                    log.exception("%s cannot be started again", server.name)
                    await asyncio.sleep(start_pause(failures))

    async def _watch_broker(self) -> None:
        failures = 0
        while self.broker is not None:
            began = time.monotonic()
            code = await self.broker.ended()
            log.warning("the broker ended (%d) and is started again", code)
            failures = failures + 1 if time.monotonic() - began < 10 else 1
            await asyncio.sleep(start_pause(failures) - start_pause(1))
            with contextlib.suppress(StartError):
                await self._start_broker()
            self.broker_restarts += 1

    async def _watch_archiver(self) -> None:
        """Archive from the first backup on: what was written before it is of no use to a restore."""
        failures = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self.home.archive.is_dir():
                continue
            began = time.monotonic()
            command = [sys.executable, "-m", "knative.platform.archiver"]
            about = environment.of_archiver(self.home, self._given(), self.user, self.settings.region)
            self.archiver = Child("archiver", command, self.root, about, self.home.log("archiver"))
            code = await self.archiver.ended()
            log.warning("the archiver ended (%d) and is started again", code)
            failures = failures + 1 if time.monotonic() - began < 10 else 1
            await asyncio.sleep(start_pause(failures))

    async def _keep(self) -> None:
        """Keep the state current, the logs bounded, and no orphans."""
        last = ""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            pids = json.dumps(self.pids(), sort_keys=True)
            if pids != last:
                last = pids
                try:
                    self.write_state()
                except OSError as error:
                    log.warning("the state cannot be written: %s", error)
            self._end_orphans()
            for file in self.home.logs.glob("*.log"):
                _bound(file)

    def _end_orphans(self) -> None:
        known = {identity["pid"] for identity in _flat(self.pids())}
        found = processes.end_adopted(known)
        if found:
            log.info("%d orphans of ended processes were ended", found)

    # what is seen

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> dict[str, Any]:
        """Give every process by name."""
        found: dict[str, Any] = {"supervisor": Identity.of(os.getpid()).document()}
        for server in self.servers.all if self.servers else []:
            if server.process is not None and server.alive:
                found[server.name] = Identity.of(server.process.pid).document()
            if (program := getattr(server, "program", None)) is not None:
                found[f"{server.name}-program"] = Identity.of(program.pid).document()
        if self.broker is not None and self.broker.running:
            found["broker"] = self.broker.identity.document()
        if self.archiver is not None and self.archiver.running:
            found["archiver"] = self.archiver.identity.document()
        found["functions"] = {
            name: [slot.instance.child.identity.document() for slot in deployment.slots]  # type: ignore[attr-defined]
            for name, deployment in self.deployments.items()
        }
        return found

    def write_state(self) -> None:
        """Tell other processes what runs."""
        addresses = self._given()
        self.home.write_state(
            {
                "port": self.port,
                "url": self.url,
                "home": str(self.home.path),
                "run": str(self.home.run),
                "region": self.settings.region,
                "shards": list(addresses.shards),
                "shards_admin": list(addresses.shards_admin),
                "cache": addresses.cache,
                "started": self._began,
                "pids": self.pids(),
            }
        )


def _bind(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise StartError(
            f"Port {port} cannot be used ({error.strerror}): set HAL9_PORT (or --port) to a free one, or to 0."
        ) from error
    return listening


def _split(addresses: str) -> tuple[str, ...]:
    return tuple(address.strip() for address in addresses.split(",") if address.strip())


def _flat(pids: Any) -> list[dict[str, int]]:
    """Give the identities in a tree of them."""
    if isinstance(pids, dict) and "pid" in pids:
        return [pids]
    parts = pids.values() if isinstance(pids, dict) else pids if isinstance(pids, list) else []
    return [identity for part in parts for identity in _flat(part)]


def _last_message(output: Path, offset: int) -> str:
    """Give the last thing that a process said since `offset` in its log."""
    try:
        with output.open("rb") as file:
            file.seek(offset)
            lines = file.read(200_000).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    try:
        return str(json.loads(lines[-1])["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return lines[-1] if lines else ""


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _bound(file: Path) -> None:
    """Bound a log: its last part becomes `<name>.log.1`; writers append, so that the file may be cut."""
    try:
        size = file.stat().st_size
        if size <= LOG_BYTES:
            return
        with file.open("r+b") as log_file:
            log_file.seek(size - LOG_BYTES // 2)
            file.with_name(f"{file.name}.1").write_bytes(log_file.read())
            log_file.truncate(0)
    except OSError:
        return


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a part of the supervisor ended", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)
