"""Where the API is and who asks: from two variables, or from a file that `hal9 up` or `hal9 deploy` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.client.errors import ClientError
from shared.settings import load, setting, settings

_DEFAULT_HOME: Final = Path(".hal9")
_CHECKOUT: Final = Path(__file__).parents[2]


class CredentialsError(ClientError):
    """There are no credentials, or half of them; the text says where they were looked for."""


@settings
class ClientSettings:
    """Where the command line and the SDK find the API."""

    url: str | None = setting("HAL9_URL", None, "Address of the API, for example http://127.0.0.1:9000.")
    api_key: str | None = setting("HAL9_API_KEY", None, "API key that requests are made with.", secret=True)
    connect_to: str | None = setting(
        "HAL9_CONNECT_TO",
        None,
        "With HAL9_URL: host:port to connect to instead of the address's own, for an ingress whose names no DNS has.",
    )
    file: Path | None = setting(
        "HAL9_CREDENTIALS",
        None,
        "File with credentials, such as `hal9 deploy` writes; used when HAL9_URL and HAL9_API_KEY are not set.",
    )
    home: Path = setting("HAL9_HOME", _DEFAULT_HOME, "Folder whose credentials.json is used when none of these is set.")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the API is and who asks.

    Attributes:
        url: The API's address.
        api_key: The key that requests are made with.
        connect_to: `host:port` to connect to instead of the address's own; None for that.
    """

    url: str
    api_key: str = field(repr=False)
    connect_to: str | None = None

    @classmethod
    def find(cls, home: Path | None = None) -> Credentials:
        """Take HAL9_URL and HAL9_API_KEY when both are set, else HAL9_CREDENTIALS, else the platform's own file.

        Args:
            home: The platform's folder; None for HAL9_HOME.

        Raises:
            CredentialsError: Neither is there, or only one of the variables is.
        """
        found = load(ClientSettings)
        if found.url and found.api_key:
            return cls(_address(found.url), _key(found.api_key), _host_and_port(found.connect_to))
        if found.url or found.api_key:
            missing = "HAL9_API_KEY" if found.url else "HAL9_URL"
            raise CredentialsError(f"{missing} is not set: set both HAL9_URL and HAL9_API_KEY, or neither.")
        if home is None and found.file is not None:
            return cls.read(found.file)
        return cls.read((home or _in_checkout(found.home)) / "credentials.json")

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """Read the file that `hal9 up`, or `hal9 deploy`, writes.

        Raises:
            CredentialsError: It is not there, or holds something else.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_bytes())
            return cls(str(document["url"]), str(document["api_key"]), _host_and_port(document.get("connect_to")))
        except OSError as error:
            raise CredentialsError(
                f"There are no credentials: {path} cannot be read ({error.strerror}). Run `hal9 up`, or set HAL9_URL "
                "and HAL9_API_KEY."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CredentialsError(f"{path} holds no credentials: run `hal9 up` again.") from error


def _in_checkout(home: Path) -> Path:
    """Take the default folder to be the checkout's, wherever one stands, as `hal9 up` does."""
    return _CHECKOUT / home if home == _DEFAULT_HOME and (_CHECKOUT / "pyproject.toml").is_file() else home


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise CredentialsError("HAL9_URL is no address: it begins with http:// or https://.")
    return url


def _host_and_port(text: str | None) -> str | None:
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise CredentialsError(f"HAL9_CONNECT_TO is {text!r}: give host:port, such as 10.0.0.7:80.")
    return text


def _key(text: str) -> str:
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise CredentialsError("HAL9_API_KEY holds characters that no key has: set it to the key alone.")
    return text
