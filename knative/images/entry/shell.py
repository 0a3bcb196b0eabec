"""`/bin/sh -c COMMAND` for PostgreSQL, in a base that has no shell: one program with its redirections, nothing else.

initdb starts `postgres` through popen(3) and system(3), which want /bin/sh; so does recovery, which copies WAL by `cp`.
Installed as that in the images that hold PostgreSQL, and only where the base has none. Promises: runs one program by
exec; anything else that a shell can do (pipes, substitutions, lists) is refused. Where there is no `cp`, it copies one
file itself. Imports only the standard library, and nothing of ours.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Final

_FAILED: Final = 1
_REFUSED: Final = 126
_MISSING: Final = 127
_OPEN: Final = {
    "<": os.O_RDONLY,
    ">": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    ">>": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


def words(command: str) -> tuple[list[str], list[tuple[int, str, str]]]:
    """Split a command into its words and its redirections (descriptor, operator, target).

    Raises:
        ValueError: It is more than one program with redirections.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars="<>|&;()")
    lexer.whitespace_split = True
    parts, program, redirections = list(lexer), list[str](), list[tuple[int, str, str]]()
    while parts:
        part = parts.pop(0)
        if part in {"<", ">", ">>", ">&"}:
            descriptor = int(program.pop()) if program and program[-1] in {"1", "2"} else 0 if part == "<" else 1
            redirections.append((descriptor, part, parts.pop(0)))
        elif set(part) <= set("<>|&;()"):
            raise ValueError(f"no shell is in this image: {part!r} is not understood")
        else:
            program.append(part)
    return program, redirections


def _copied(places: list[str]) -> int:
    """Copy a file; give 1, as `cp` does, when it cannot be: recovery takes that for the end of the WAL."""
    source, target = places
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        sys.stderr.write(f"cp: {error}\n")
        return _FAILED
    return 0


def main(arguments: list[str]) -> int:
    """Become the command; give 2, 126 or 127, as shells do, when that cannot be."""
    if len(arguments) != 2 or arguments[0] != "-c":
        sys.stderr.write("usage: sh -c COMMAND\n")
        return 2
    try:
        program, redirections = words(arguments[1])
        for descriptor, operator, target in redirections:
            opened = int(target) if operator == ">&" else os.open(target, _OPEN[operator], 0o600)
            os.dup2(opened, descriptor)
        if program[0] == "cp" and shutil.which("cp") is None:
            return _copied(program[1:])
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted
    except FileNotFoundError as error:
        sys.stderr.write(f"sh: {error}\n")
        return _MISSING
    except (OSError, ValueError, IndexError) as error:
        sys.stderr.write(f"sh: {error}\n")
        return _REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
