"""What commands have in common in what they print: tables' width, the colours of states, texts of strangers."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STATE_COLOURS: Final = {"running": "yellow", "completed": "green", "failed": "red", "cancelled": "dim"}
"""Of runs, and of the projects that come of them."""

_WIDE: Final = 200
_ORDERS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Give standard output: a terminal as wide as it is, else as wide as a table must be; a cut id is of no use."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _WIDE)


def harmless(text: str) -> str:
    """Give a text of any number of lines that somebody else chose, with no order to the terminal in it."""
    return _ORDERS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def stranger(text: str) -> Text:
    """Give a cell of a text that somebody else chose: nothing in it is markup, or an order to the terminal."""
    from rich.text import Text

    return Text("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))
