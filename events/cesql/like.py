"""The patterns of LIKE (section 3.4.3): `%` any characters, `_` one, a backslash before either that one itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_PARTS: Final = re.compile(r"\\[%_]|%|_|[^%_\\]+|\\", re.DOTALL)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Give the test of a pattern.

    Its time is at most the product of the lengths, whatever the pattern: nothing is tried twice.
    """
    segments = _segments(pattern)
    if len(segments) == 1:
        whole = re.compile(segments[0], re.DOTALL).fullmatch
        return lambda text: whole(text) is not None
    head = re.compile(segments[0], re.DOTALL).match
    middle = [re.compile(segment, re.DOTALL).search for segment in segments[1:-1] if segment]
    tail = re.compile(segments[-1], re.DOTALL).fullmatch
    tail_length = _length(pattern)

    def matches(text: str) -> bool:
        found = head(text)
        if found is None:
            return False
        position = found.end()
        # The leftmost place of each segment leaves the most room for the next ones.
        for search in middle:
            found = search(text, position)
            if found is None:
                return False
            position = found.end()
        start = len(text) - tail_length
        return start >= position and tail(text, start) is not None

    return matches


def _segments(pattern: str) -> list[str]:
    """Cut at each `%`: regular expressions of what stands between, each of a fixed length."""
    segments = [""]
    for part in _PARTS.findall(pattern):
        if part == "%":
            segments.append("")
        elif part == "_":
            segments[-1] += "."
        else:
            segments[-1] += re.escape(part[1:] if part in (r"\%", r"\_") else part)
    return segments


def _length(pattern: str) -> int:
    """Count the characters that the part behind the last `%` stands for."""
    length = 0
    for part in _PARTS.findall(pattern):
        if part == "%":
            length = 0
        else:
            length += 1 if part in (r"\%", r"\_") else len(part)
    return length
