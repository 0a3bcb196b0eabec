"""A secret of the environment: the variable itself, or a file that `<VARIABLE>_FILE` names (a mounted Secret)."""

from __future__ import annotations

import os
from pathlib import Path


class SecretMissingError(Exception):
    """A secret is not there, or cannot be read; the text says which variable."""


def secret(variable: str) -> str:
    """Give a secret's text, without the line's end that files have.

    Raises:
        SecretMissingError: it is not set, not readable, empty, or has a control character.
    """
    file = os.environ.get(f"{variable}_FILE")
    try:
        text = Path(file).read_text(encoding="utf-8").rstrip("\r\n") if file else os.environ.get(variable, "")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissingError(f"{variable}_FILE names {file}, which cannot be read: {error}") from None
    if not text:
        raise SecretMissingError(f"set {variable}, or {variable}_FILE to a file that holds it")
    if not text.isprintable():
        raise SecretMissingError(f"{variable} must have no control character")
    return text
