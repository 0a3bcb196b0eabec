"""What can go wrong between a program and the API."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

_PREFIX: Final = "urn:hal9:problem:"


class ClientError(Exception):
    """Whatever went wrong; the text says what to do."""


class InvalidRequestError(ClientError):
    """What was asked for is not what the API takes: it is refused before anything is sent, with every fault."""


def checked(model: type[M], **values: Any) -> M:
    """Make the body of a request.

    Raises:
        InvalidRequestError: The values are not what the API takes.
    """
    try:
        return model(**values)
    except ValidationError as error:
        faults = [
            f"\n  {'.'.join(str(part) for part in fault['loc']) or 'the request'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidRequestError("This is not what the API takes:" + "".join(faults)) from None


class UnreachableError(ClientError):
    """There was no answer, or none that the API gives: the address is wrong, or nothing runs there."""


class ApiError(ClientError):
    """The API refused, and said why (RFC 9457).

    Attributes:
        status: The HTTP status.
        slug: What kind of problem it is, the stable last part of its `type`, for example `not-found`.
        title: The same for every problem of that kind.
        detail: What went wrong this time, and what to do.
        errors: Every fault of what was sent: `pointer` (RFC 6901) and `detail`.
        trace_id: What to tell those who run the platform.
        document: The whole problem document.
    """

    def __init__(self, status: int, document: dict[str, Any], trace_id: str | None = None) -> None:
        self.status = status
        self.document = document
        self.slug = str(document.get("type", "about:blank")).removeprefix(_PREFIX)
        self.title = str(document.get("title", f"HTTP status {status}"))
        self.detail = str(document.get("detail", ""))
        errors = document.get("errors")
        self.errors: list[dict[str, str]] = errors if isinstance(errors, list) else []
        self.trace_id = trace_id or document.get("trace_id")
        super().__init__(self._text())

    def _text(self) -> str:
        faults = "".join(f"\n  {fault.get('pointer') or '/'}: {fault.get('detail', '')}" for fault in self.errors)
        return f"{self.title} ({self.status}). {self.detail}{faults}"
