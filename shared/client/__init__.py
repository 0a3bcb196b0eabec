"""The Python SDK: HAL9's HTTP API, typed.

    from shared.client import Client

    with Client.from_environment() as hal9:
        project = hal9.projects.create("A library for leap years, with tests.")
        for event in hal9.projects.watch(project.id):
            print(event.type, event.path)
        print(hal9.projects.get(project.id).state)

Promises: every answer is a model, every fault an exception (`ApiError` with the problem document, `UnreachableError`
without one); what may be tried again without harm is tried again, as long as the server asks to wait; a stream that
breaks is taken up where it ended. Does not: cache, log, or read anything from the environment unless asked.
"""

from __future__ import annotations

from shared.client.client import Client
from shared.client.credentials import Credentials, CredentialsError
from shared.client.errors import ApiError, ClientError, InvalidRequestError, UnreachableError, checked

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Credentials",
    "CredentialsError",
    "InvalidRequestError",
    "UnreachableError",
    "checked",
]
