"""Backward signals: which steps run again, which are void, and which wait anew.

A blamed step runs again from its first phase. Everything below it is void (it will be spawned anew), and so is
everything that rested on its output: each ancestor goes back to wait for the phase in which the blamed branch was
spawned, and what it spawned in later phases is void. Siblings that are done stay done.

Promises: pure, and total: any signal leads to a plan or to `Exhausted`. Does not: write; `store.py` does, while it
holds the run.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from shared.neurons import Signal

_ENDED = frozenset({"completed", "failed"})


class Node(msgspec.Struct, frozen=True):
    """A live step, as far as a rewind looks at it."""

    id: UUID
    parent_id: UUID | None
    path: str
    state: str
    joined_phase: int
    revision: int
    optional: bool = False


class Waiting(msgspec.Struct, frozen=True):
    """A step that waits anew.

    Attributes:
        id: The step.
        phase: The phase whose children it waits for.
        pending: How many of them are not done.
    """

    id: UUID
    phase: int
    pending: int


class Blamed(msgspec.Struct, frozen=True):
    """A signal at its place: the step that it was resolved to, and the revision that it leads to."""

    step_id: UUID
    path: str
    revision: int
    signal: Signal


class Plan(msgspec.Struct, frozen=True):
    """What a rewind does."""

    sender_path: str
    revised: tuple[UUID, ...]
    superseded: tuple[UUID, ...]
    waiting: tuple[Waiting, ...]
    signals: tuple[Blamed, ...]


class Exhausted(msgspec.Struct, frozen=True):
    """A cap on revisions does not hold another one.

    Attributes:
        cap: `step` or `run`.
    """

    cap: str


class _Tree:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.by_id: Mapping[UUID, Node] = {node.id: node for node in nodes}
        self.by_path: Mapping[str, Node] = {node.path: node for node in nodes}
        self.children: dict[UUID | None, list[Node]] = defaultdict(list)
        for node in nodes:
            self.children[node.parent_id].append(node)

    def line(self, node: Node) -> list[Node]:
        """The node and its ancestors, the root first."""
        line = [node]
        while line[-1].parent_id is not None:
            line.append(self.by_id[line[-1].parent_id])
        return line[::-1]

    def below(self, node: Node) -> list[Node]:
        """All descendants."""
        found: list[Node] = []
        waiting = list(self.children[node.id])
        while waiting:
            found.append(waiting.pop())
            waiting += self.children[found[-1].id]
        return found


def plan_rewind(
    nodes: Sequence[Node], sender: UUID, signals: Sequence[Signal], revisions: int, per_step: int, per_run: int
) -> Plan | Exhausted:
    """Plan what a backward signal does to a run.

    Args:
        nodes: The run's live steps.
        sender: The step that sends.
        signals: What it sends; at least one `error`.
        revisions: How many revisions the run has had.
        per_step: Cap on a step's revisions.
        per_run: Cap on the run's.
    """
    tree = _Tree(nodes)
    origin = tree.by_id[sender]
    resolved = [(_resolve(tree, origin, signal.blame_step), signal) for signal in signals]
    blamed = {node.id: node for node, signal in resolved if signal.severity == "error"}
    # A step below another blamed one is void anyway.
    roots = [node for node in blamed.values() if not any(above.id in blamed for above in tree.line(node)[:-1])]
    if any(node.revision >= per_step for node in roots):
        return Exhausted("step")
    if revisions + len(roots) > per_run:
        return Exhausted("run")
    void, waiting = _void(tree, roots)
    revised = tuple(node.id for node in roots if node.id not in void)
    return Plan(
        sender_path=origin.path,
        revised=revised,
        superseded=tuple(void),
        waiting=tuple(waiting),
        signals=tuple(_blamed(tree, node, signal, revised) for node, signal in resolved),
    )


def _blamed(tree: _Tree, node: Node, signal: Signal, revised: tuple[UUID, ...]) -> Blamed:
    """Put a signal where it is read: at the step that runs again in place of a void one below it."""
    node = next((above for above in tree.line(node) if above.id in revised), node)
    return Blamed(node.id, node.path, node.revision + (node.id in revised), signal)


def _resolve(tree: _Tree, sender: Node, blame: str) -> Node:
    """The step that a signal means: the nearest that exists and came before the sender."""
    path = posixpath.normpath("/" + posixpath.join(sender.path, blame).lstrip("/"))
    while path not in tree.by_path:
        path = posixpath.dirname(path)
    node = tree.by_path[path]
    mine, its = tree.line(sender), tree.line(node)
    common = 0
    while common < min(len(mine), len(its)) and mine[common].id == its[common].id:
        common += 1
    if common in {len(mine), len(its)}:
        return node
    # Neither is above the other. What ran beside the sender cannot have led to its input: whoever spawned both is to
    # blame.
    return node if its[common].joined_phase < mine[common].joined_phase else mine[common - 1]


def _void(tree: _Tree, roots: Sequence[Node]) -> tuple[dict[UUID, None], list[Waiting]]:
    """What is void, and who waits anew, from the deepest ancestors up."""
    void: dict[UUID, None] = {below.id: None for node in roots for below in tree.below(node)}
    undone = {node.id for node in roots}
    phases: dict[UUID, int] = {}
    for node in sorted(
        (node for root in roots for node in tree.line(root)[:-1]), key=lambda node: -len(tree.line(node))
    ):
        if node.id in phases:
            continue
        undone.add(node.id)
        again = [child for child in tree.children[node.id] if child.id in undone]
        phases[node.id] = phase = min(child.joined_phase for child in again)
        for child in tree.children[node.id]:
            if child.joined_phase > phase:
                void[child.id] = None
                void.update({below.id: None for below in tree.below(child)})
    return void, [
        Waiting(step, phase, _pending(tree, step, phase, undone)) for step, phase in phases.items() if step not in void
    ]


def _pending(tree: _Tree, step: UUID, phase: int, undone: set[UUID]) -> int:
    group = [child for child in tree.children[step] if child.joined_phase == phase]
    return sum(child.id in undone or child.state not in _ENDED for child in group)
