"""How `hal9` says that it does not do what was asked: a sentence, or with --json a problem document.

Promises: every command refuses in the same form. With --json it is one line of JSON on standard output, `{"problem":
{...}}` (RFC 9457): the API's own document where the API refused, else one whose `type` is one of `TITLES`. Without, it
is a sentence on standard error. The exit code is the same in both.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the signal's number."""

_PREFIX: Final = "urn:hal9:problem:"
TITLES: Final = {
    "command-line-invalid": "The command line is wrong",
    "command-refused": "The command was not carried out",
    "interrupted": "It was interrupted",
}
"""The kinds of problems that are the command line's own."""


class Refusal(click.ClickException):
    """A refusal that knows more than a sentence.

    Args:
        message: The sentence, which says what to do.
        problem: The API's own problem document; None when the refusal is ours.
        beside: What the JSON says beside the problem.
    """

    def __init__(self, message: str, problem: Mapping[str, Any] | None = None, **beside: Any) -> None:
        super().__init__(message)
        self.problem = problem
        self.beside = beside


class Interruption(Refusal):
    """Ctrl-C."""

    exit_code = INTERRUPTED


def of(error: Exception, text: str | None = None, **beside: Any) -> Refusal:
    """Make a refusal of what the client raised, with the API's own problem document where there is one.

    Args:
        error: What was raised.
        text: The sentence; the error's own, when left out.
        beside: What the JSON says beside the problem.
    """
    return Refusal(text or str(error), getattr(error, "document", None), **beside)


def show(error: click.ClickException, *, as_json: bool) -> None:
    """Print a refusal."""
    if as_json:
        click.echo(json.dumps(_document(error), ensure_ascii=False))
    else:
        error.show()


def interruption(error: click.Abort) -> Refusal:
    """Say what ended a command unasked: Ctrl-C, the end of its input, or a "no" to its question."""
    if isinstance(error.__cause__, KeyboardInterrupt):
        return Interruption("Interrupted.")
    return Refusal("Nothing was done.")


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether --json is among the options of a command line."""
    return "--json" in _options(arguments)


def _options(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "--":
            return
        yield argument


def _document(error: click.ClickException) -> dict[str, Any]:
    beside = error.beside if isinstance(error, Refusal) else {}
    problem = error.problem if isinstance(error, Refusal) and error.problem is not None else _own(error)
    return {**beside, "problem": problem}


def _own(error: click.ClickException) -> dict[str, Any]:
    if isinstance(error, click.UsageError):
        slug = "command-line-invalid"
    else:
        slug = "interrupted" if isinstance(error, Interruption) else "command-refused"
    return {"type": _PREFIX + slug, "title": TITLES[slug], "detail": error.format_message()}


def leave(error: click.ClickException, *, as_json: bool) -> NoReturn:
    """Print a refusal and end the process with its exit code."""
    show(error, as_json=as_json)
    sys.exit(error.exit_code)
