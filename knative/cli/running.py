"""What the commands of the local platform share: which platform they mean, and what it says of itself."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

import click

from knative.platform.home import Home, PlatformSettings
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


def chosen() -> tuple[Home, PlatformSettings]:
    """Give the platform that the environment names.

    Raises:
        click.ClickException: A setting is wrong.
    """
    try:
        settings = load(PlatformSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    return Home.at(settings.home), settings


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("hal9", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def status(home: Home) -> dict[str, Any] | None:
    """Ask a platform's supervisor what runs; None when it does not answer."""
    answered = ask(home, "GET", "/status")
    return answered[1] if answered is not None and answered[0] == http.client.OK else None


def ask(home: Home, method: str, path: str) -> tuple[int, dict[str, Any]] | None:
    """Ask a platform's supervisor; give the answer's status and body, None when there is none."""
    connection = _UnixConnection(home.control_socket)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer.status, found
