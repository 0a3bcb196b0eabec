"""The client: one object for each part of the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from shared.client.artefacts import Artefacts
from shared.client.credentials import Credentials
from shared.client.events import DeadLetters, Events
from shared.client.keys import Keys
from shared.client.projects import Projects
from shared.client.runs import Runs
from shared.client.transport import Transport
from shared.client.usage import Usages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from shared.client.errors import ClientError


class Client:
    """HAL9's API, with one key. Safe to share between threads.

    Args:
        url: The API's address, for example `http://127.0.0.1:9000`.
        api_key: The key that requests are made with.
        connect_to: `host:port` to connect to instead of the address's own.
        seconds: How long one try of a request may take.
        tries: How often a request is sent at most, where that does no harm.
        sleep: Waits between tries, seconds; the system's unless a test says otherwise.
        told: Hears why, and for how many seconds, before each wait: to show that something is waited for.

    Attributes:
        url: The API's address.
        projects: Ask for software.
        runs: Runs of neurons.
        artefacts: What projects made.
        events: Publish CloudEvents.
        dead_letters: Events that could not be delivered.
        keys: API keys.
        usage: What the organisation uses, and what its tier allows.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        connect_to: str | None = None,
        seconds: float = 60.0,
        tries: int = 4,
        sleep: Callable[[float], None] = time.sleep,
        told: Callable[[ClientError, float], None] | None = None,
    ) -> None:
        self.url = url
        self._transport = Transport(Credentials(url, api_key, connect_to), seconds, tries, sleep, told)
        self.runs = Runs(self._transport)
        self.projects = Projects(self._transport, self.runs)
        self.artefacts = Artefacts(self._transport)
        self.events = Events(self._transport)
        self.dead_letters = DeadLetters(self._transport)
        self.keys = Keys(self._transport)
        self.usage = Usages(self._transport)

    @classmethod
    def from_environment(
        cls, home: Path | None = None, *, told: Callable[[ClientError, float], None] | None = None
    ) -> Self:
        """Make the client of HAL9_URL and HAL9_API_KEY, else of HAL9_CREDENTIALS, else of HAL9_HOME's file.

        Args:
            home: The platform's folder; None for HAL9_HOME.
            told: Hears of every wait, as the class says.

        Raises:
            CredentialsError: There are no credentials.
        """
        credentials = Credentials.find(home)
        return cls(credentials.url, credentials.api_key, connect_to=credentials.connect_to, told=told)

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
