"""Which languages software is written in: those that have a name here, and those that are available."""

from __future__ import annotations

from typing import Final, Literal

LANGUAGES: Final = ("python", "typescript", "rust", "go")
AVAILABLE_LANGUAGES: Final = ("python",)

Language = Literal["python", "typescript", "rust", "go"]


def unavailable_language(language: str) -> str | None:
    """Say why a language cannot be asked for, naming those that can; None when it can."""
    if language in AVAILABLE_LANGUAGES:
        return None
    offered = ", ".join(AVAILABLE_LANGUAGES)
    known = "is not available yet" if language in LANGUAGES else "is not a language that HAL9 writes"
    return f"{language} {known}; available: {offered}"
