"""Structured logs: one JSON object a line on standard error.

Promises: each line has time, level, logger, message, function, deployment, and, where they are known, trace id, span id
and organisation; what looks like a secret (API keys, tokens, passwords in addresses) is replaced; lines are bounded.
Does not: ship, rotate or filter by tenant; the platform takes the process's standard error.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from shared.telemetry.traces import trace

if TYPE_CHECKING:
    from typing import TextIO

_FIELDS: Final = "hal9_fields"
_LONGEST_TEXT: Final = 8192
_LONGEST_LINE: Final = 32768
_HIDDEN: Final = "[hidden]"
_SECRET_NAMES: Final = re.compile(
    r"secret|password|passwd|token|authorization|cookie|credential|api_?key", re.IGNORECASE
)
_SECRETS: Final = re.compile(
    r"(hal9_[A-Za-z0-9]{12})_[A-Za-z0-9_-]{20,}"  # API keys: the prefix stays, it finds the key
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"  # JSON Web Tokens
    r"|(?<=://)[^\s/@:\"]*:[^\s/@\"]+(?=@)"  # user:password in an address
    r"|(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{16,})"
)

_organisation: ContextVar[str | None] = ContextVar("hal9_organisation", default=None)


def organisation() -> str | None:
    """Give the organisation that the work at hand is done for."""
    return _organisation.get()


def set_organisation(org_id: object) -> None:
    """Say for which organisation the work at hand is done; None for none."""
    _organisation.set(None if org_id is None else str(org_id))


def redact(text: str) -> str:
    """Replace what looks like a secret."""
    return _SECRETS.sub(lambda match: f"{match[1]}_{_HIDDEN}" if match[1] else _HIDDEN, text)


class Log:
    """Writes structured lines: `log.info("run started", run_id=run_id)`. Field names that sound secret are hidden."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, /, **fields: Any) -> None:
        """Write what helps to find a fault."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """Write what an operator wants to know of normal work."""
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        """Write what went wrong and was made good."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """Write what went wrong and needs somebody."""
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: Any) -> None:
        """Write an error with the exception that is being handled."""
        self._write(logging.ERROR, message, fields, with_exception=True)

    def _write(self, level: int, message: str, fields: dict[str, Any], *, with_exception: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", message, extra={_FIELDS: fields}, exc_info=with_exception)


def logger(name: str) -> Log:
    """Give the log of a module; call it with `__name__`."""
    return Log(name)


class _JsonFormatter(logging.Formatter):
    """Turns a record into one JSON object."""

    def __init__(self, constant: dict[str, str]) -> None:
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
            **self._constant,
        }
        now = trace()
        if now is not None:
            line["trace_id"], line["span_id"] = now.trace_id, now.span_id
        org_id = _organisation.get()
        if org_id is not None:
            line["organisation"] = org_id
        for name, value in getattr(record, _FIELDS, {}).items():
            line.setdefault(name, _HIDDEN if _SECRET_NAMES.search(name) else value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = _dump(line)
        if len(text) > _LONGEST_LINE:
            text = _dump(
                {name: _cut(value if isinstance(value, str) else _dump(value)) for name, value in line.items()}
            )
        return redact(text)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}... ({len(text)} characters)"


def configure_logs(*, level: str = "INFO", stream: TextIO | None = None, **constant: str) -> None:
    """Send the process's logs, those of libraries as well, as JSON lines to a stream.

    Args:
        level: the least level that is written.
        stream: where to; standard error when None.
        constant: members of every line, such as `function` and `deployment`.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_JsonFormatter(constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
