"""`hal9 logs`: the logs of functions and servers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from knative.cli import running, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.platform.home import Home

FOLLOW_SECONDS = 0.2
_KNOWN = frozenset({"time", "level", "logger", "message", "function", "deployment"})


@click.command()
@click.argument("name", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--lines", "-n", type=click.IntRange(0), default=100, show_default=True, help="Last lines of each log.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as JSON, with the log's name.")
def command(*, name: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the logs of functions and servers.

    NAME is a deployment (gateway, neuron-l4, …), broker, supervisor, postgres-0 … or valkey; without it, all.
    """
    home, _ = running.chosen()
    files = _files(home)
    if name is not None and name not in files:
        known = ", ".join(sorted(files)) or "nothing has run yet"
        raise click.ClickException(f"There is no log named {name!r} in {home.path}: {known}.")
    wanted = {name: files[name]} if name is not None else files
    tails = {one: _Tail(one, path) for one, path in wanted.items()}
    shown = [line for tail in tails.values() for line in tail.last(lines)]
    for line in sorted(shown, key=lambda line: str(line.get("time", ""))):
        _show(line, as_json=as_json)
    if follow:
        _follow(home, name, tails, as_json=as_json)


def _files(home: Home) -> dict[str, Path]:
    found = [*home.logs.glob("*.log"), *home.servers.glob("*.log")]
    return {path.stem: path for path in sorted(found)}


def _follow(home: Home, name: str | None, tails: dict[str, _Tail], *, as_json: bool) -> None:
    try:
        while True:
            time.sleep(FOLLOW_SECONDS)
            if name is None:
                for one, path in _files(home).items():
                    tails.setdefault(one, _Tail(one, path))
            for tail in tails.values():
                for line in tail.new():
                    _show(line, as_json=as_json)
    except KeyboardInterrupt:
        return


class _Tail:
    """The end of one log, wherever it is by now."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._offset = 0
        self._rest = b""

    def last(self, count: int) -> list[dict[str, Any]]:
        """Give the last lines that are there."""
        found = list(self.new())
        return found[max(0, len(found) - count) :]

    def new(self) -> Iterator[dict[str, Any]]:
        """Give the lines that came since the last time."""
        try:
            if self._path.stat().st_size < self._offset:  # it was cut
                self._offset, self._rest = 0, b""
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield self._read(line)

    def _read(self, line: bytes) -> dict[str, Any]:
        text = line.decode("utf-8", "replace")
        try:
            read = json.loads(text)
        except ValueError:
            read = None
        return {"log": self._name, **(read if isinstance(read, dict) else {"message": text})}


def _show(line: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(line, ensure_ascii=False))
        return
    when = str(line.get("time", ""))[11:23]
    level = str(line.get("level", "")).upper()
    more = " ".join(f"{key}={value}" for key, value in line.items() if key not in _KNOWN | {"log", "exception"})
    words = [when, str(line["log"]), level, str(line.get("message", "")), more]
    click.echo(tables.harmless(" ".join(word for word in words if word)))
    if "exception" in line:
        click.echo(tables.harmless(str(line["exception"])))
