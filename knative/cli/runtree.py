"""A run's tree of neurons, drawn from the events of its live stream.

Promises: what is drawn depends on the events only, so that a stream that is taken up again gives the same tree. Used by
`hal9 runs watch` and `hal9 codegen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from datetime import datetime

    from shared.neurons.wire import RunEvent

_LOOKS: Final = {
    "requested": ("·", "dim"),
    "started": ("▶", "yellow"),
    "waiting": ("…", "cyan"),
    "delegated": ("▶", "yellow"),
    "retried": ("↻", "yellow"),
    "revised": ("↺", "magenta"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("∅", "dim"),
}
_WORDS: Final = {
    "requested": "waits",
    "started": "works",
    "waiting": "waits for its children",
    "delegated": "works in another function",
    "retried": "is tried again",
    "revised": "was sent back",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass
class _Step:
    body: str
    moment: str = "requested"
    since: datetime | None = None
    until: datetime | None = None


class RunTree:
    """The tree as it stands after the events that were fed so far."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.state = "running"
        self._steps: dict[str, _Step] = {}

    def feed(self, event: RunEvent) -> str | None:
        """Take one event; gives it as a line of text, None when it is not worth one."""
        kind, _, moment = event.type.partition(".")
        if kind == "run":
            self.state = moment if moment in {"completed", "failed", "cancelled"} else self.state
            return None
        if event.path is None:
            return None
        if moment == "superseded":
            self._steps.pop(event.path, None)
            return None
        step = self._steps.setdefault(event.path, _Step(event.body or "?"))
        step.moment = moment
        if moment in {"started", "delegated"} and step.since is None:
            step.since = event.at
        step.until = event.at if moment in {"completed", "failed", "cancelled"} else None
        return f"{event.path}  {_LOOKS.get(moment, ('·', ''))[0]} {step.body} {_WORDS.get(moment, moment)}"

    def __rich__(self) -> Tree:
        """Draw the tree."""
        root = Tree(Text(self.title, style="bold"), guide_style="dim")
        drawn: dict[str, Tree] = {}
        for path in sorted(self._steps, key=lambda path: (path.count("/") if path != "/" else 0, path)):
            above = drawn.get(path.rpartition("/")[0] or "/", root)
            drawn[path] = above.add(self._line(self._steps[path], path.rpartition("/")[2]))
        return root

    def _line(self, step: _Step, subject: str) -> Text:
        sign, style = _LOOKS.get(step.moment, ("·", ""))
        line = Text.assemble((f"{sign} ", style), (step.body, "bold"))
        if subject:
            line.append(f" {subject}")  # the last part of its path: what tells it from others of its body
        line.append(f"  {_WORDS.get(step.moment, step.moment)}", style=style)
        if step.since is not None and step.until is not None:
            line.append(f"  {(step.until - step.since).total_seconds():.1f} s", style="dim")
        return line
