"""What can go wrong between a program and the API."""

from __future__ import annotations

from typing import Any, Final

_PREFIX: Final = "urn:hal9:problem:"


class ClientError(Exception):
    """Whatever went wrong; the text says what to do."""


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
