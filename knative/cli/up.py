"""`hal9 up`: start the platform on this machine, and return when the gateway answers."""

from __future__ import annotations

import compileall
import json
import os
import re
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

import knative
from knative.cli import running
from knative.cli.refusals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from knative.platform.broker.hostile import Hostile
    from knative.platform.home import Home

ROOT = Path(knative.__file__).parents[1]
STARTING_SECONDS = 60.0
_POINT = re.compile(r"[^:]+(:[1-9][0-9]{0,8})?")
PACKAGES = ("shared", "events", "functions", "knative")


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the gateway instead of HAL9_PORT; 0 takes a free one."
)
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C, then stop the platform.")
@click.option("--hostile", metavar="SWITCH", help="For tests: duplicate=3,delay=0.2,reorder=1,fail=0.1,seed=7.")
@click.option(
    "--replicas", type=click.IntRange(0, 1), help="Replicas of each shard instead of HAL9_REPLICAS; they take over."
)
@click.option("--functions", type=click.Path(exists=True, file_okay=False, path_type=Path), hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    port: int | None,
    foreground: bool,
    hostile: str | None,
    replicas: int | None,
    functions: Path | None,
    as_json: bool,
) -> None:
    """Start the platform on this machine.

    Starts PostgreSQL, Valkey, the broker and the gateway; functions start at their first request. Everything is kept in
    HAL9_HOME (.hal9 in the checkout). Returns when the gateway answers; the API key of the demo organisation is then in
    HAL9_HOME/credentials.json.

    \b
    Exit codes:
      0    the platform runs (also when it ran before)
      1    it cannot start: the text says what to do, and nothing is left running; or it runs otherwise than asked for
      130  interrupted, and nothing is left running
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background jobs have it ignored
    home, settings = running.chosen()
    wanted = _switches(settings.hostile if hostile is None else hostile)
    _require_points(os.environ.get("HAL9_CHAOS_KILL", ""))
    if (found := _running(home)) is not None:
        _require_same(found, port, None if hostile is None else wanted, replicas)
        _renew_credentials(home, found["url"])
        _announce(home, found["url"], as_json=as_json, already=True)
        return
    began = time.monotonic()
    _compile()
    process, lines = _spawn(home, port, hostile, replicas, functions, foreground=foreground)
    url = _follow(process, lines, as_json=as_json)
    seconds = time.monotonic() - began
    if foreground:
        _stay(process, lambda: _announce(home, url, as_json=as_json, seconds=seconds))
    else:
        _announce(home, url, as_json=as_json, seconds=seconds)


def _switches(text: str) -> Hostile:
    from knative.platform.broker.hostile import Hostile, HostileError

    try:
        return Hostile.parse(text)
    except HostileError as error:
        raise click.ClickException(f"--hostile, or HAL9_BROKER_HOSTILE: {error}") from None


def _require_points(kill: str) -> None:
    """Refuse points that there are not: a process would never be killed, and a test prove nothing."""
    names = [part.strip() for part in kill.split(",") if part.strip()]
    if not names:
        return
    for one in names:
        if not _POINT.fullmatch(one):
            raise click.ClickException(f"HAL9_CHAOS_KILL: {one!r} is no NAME or NAME:PASS, with passes from 1.")
    from knative.cli.chaos import all_points

    known = all_points()
    unknown = [name for one in names if (name := one.partition(":")[0]) not in known]
    if unknown:
        there = "\n  ".join(known)
        raise click.ClickException(f"HAL9_CHAOS_KILL: there is no point {', '.join(unknown)}; there are:\n  {there}")


def _require_same(found: dict[str, Any], port: int | None, wanted: Hostile | None, replicas: int | None) -> None:
    """Refuse what a platform that runs already would ignore."""
    differs = []
    if port and port != urlsplit(found["url"]).port:
        differs.append(f"--port {port}")
    if wanted is not None and wanted.text != found["broker"].get("hostile", ""):
        differs.append(f"--hostile {wanted.text or 'none'}")
    if replicas is not None and replicas != (1 if found["replicas"] else 0):
        differs.append(f"--replicas {replicas}")
    if differs:
        raise click.ClickException(
            f"The platform runs already on {found['url']}, and {' and '.join(differs)} would be ignored: stop it with "
            "`hal9 down` first."
        )


def _running(home: Home) -> dict[str, Any] | None:
    """Give what the platform that runs here says, waiting for one that is starting; None when there is none."""
    limit = time.monotonic() + STARTING_SECONDS
    while home.locked and time.monotonic() < limit:
        if (found := running.status(home)) is not None and found.get("ready"):
            return found
        time.sleep(0.1)
    return None


def _renew_credentials(home: Home, url: str) -> None:
    """Give the demo organisation another key when the one that was written is gone, or does not open any more."""
    if _credentials_open(home, url) or (state := home.read_state()) is None:
        return
    about = {
        "HAL9_SHARDS": ",".join(state["shards"]),
        "HAL9_SHARDS_ADMIN": ",".join(state["shards_admin"]),
        "HAL9_REGION": state["region"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "knative.platform.bootstrap", str(home.path), url],
        cwd=ROOT, env={**os.environ, **about}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise click.ClickException(f"The demo organisation has no working key: {done.stderr.strip()}")


def _credentials_open(home: Home, url: str) -> bool:
    """Whether the gateway takes the written key; anything but a plain no counts, as it is then not the key's fault."""
    try:
        key = json.loads(home.credentials_file.read_bytes())["api_key"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    gateway = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        gateway.request("GET", "/v1/keys?limit=1", headers={"Authorization": f"Bearer {key}"})
        return gateway.getresponse().status != HTTPStatus.UNAUTHORIZED
    except (OSError, HTTPException, ValueError):
        return True
    finally:
        gateway.close()


def _compile() -> None:
    """Compile what changed: without it each process would, which costs a cold start four times its time."""
    for package in PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=2)


def _spawn(
    home: Home,
    port: int | None,
    hostile: str | None,
    replicas: int | None,
    functions: Path | None,
    *,
    foreground: bool,
) -> tuple[subprocess.Popen[bytes], Iterator[dict[str, Any]]]:
    """Start the supervisor, detached; give it with the lines that it says about its start."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "knative.platform", "--home", str(home.path), "--progress", str(writing)]
    command += ["--port", str(port)] if port is not None else []
    command += ["--hostile", hostile] if hostile is not None else []
    command += ["--replicas", str(replicas)] if replicas is not None else []
    command += ["--functions", str(functions.absolute())] if functions is not None else []
    command += ["--with-parent"] if foreground else []
    about = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    output: int | Any = subprocess.DEVNULL
    try:
        home.make()
        output = home.log("supervisor").open("ab")
    except (OSError, RuntimeError):
        pass  # the supervisor meets the same trouble, and says what to do
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=about, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, pass_fds=(writing,),
        )  # fmt: skip
    finally:
        os.close(writing)
        if not isinstance(output, int):
            output.close()
    return process, _lines(reading)


def _lines(descriptor: int) -> Iterator[dict[str, Any]]:
    with os.fdopen(descriptor, "rb") as file:
        for line in file:
            yield json.loads(line)


def _follow(process: subprocess.Popen[bytes], lines: Iterator[dict[str, Any]], *, as_json: bool) -> str:
    """Show the steps until the platform is ready; give its address.

    Raises:
        click.ClickException: It cannot start.
    """
    try:
        for said in lines:
            if "step" in said and not as_json:
                click.echo(f"  {said['step']} …", err=True)
            elif "ready" in said:
                return str(said["ready"]["url"])
            elif "fault" in said:
                process.wait()
                raise click.ClickException(said["fault"])
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise Interruption("Interrupted while it was starting: nothing is left running.") from None
    process.wait()
    raise click.ClickException("The supervisor ended while it was starting: see `hal9 logs supervisor`.")


def _announce(home: Home, url: str, *, as_json: bool, already: bool = False, seconds: float | None = None) -> None:
    if as_json:
        told = {"url": url, "home": str(home.path), "credentials": str(home.credentials_file), "already": already}
        click.echo(json.dumps(told if seconds is None else {**told, "seconds": round(seconds, 3)}))
    elif already:
        click.echo(f"The platform runs already on {url}; `hal9 status` shows what it does.")
    else:
        took = "" if seconds is None else f" after {seconds:.1f} s"
        click.echo(f"The platform is ready on {url}{took}.")
        click.echo(f"The demo organisation's API key is in {home.credentials_file}; stop with `hal9 down`.")


def _stay(process: subprocess.Popen[bytes], announce: Callable[[], None]) -> None:
    """Say that it is ready, wait for Ctrl-C or SIGTERM, then stop the platform."""

    def leave(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        announce()
        code = process.wait()
    except KeyboardInterrupt:
        click.echo("Stopping …", err=True)
        process.terminate()
        code = process.wait()
    if code != 0:
        raise click.ClickException("The supervisor ended unasked: see `hal9 logs supervisor`.")
