"""What backward signals do to a tree: exactly the blamed steps run again, and whatever rested on them waits anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.neuron.rewind import Exhausted, Node, Plan, plan_rewind
from shared.neurons import Signal


def made(path: str, state: str = "completed", joined_phase: int = 0, revision: int = 0) -> Node:
    """A step whose id comes from its path."""
    above = None if path == "/" else identify(path.rpartition("/")[0] or "/")
    return Node(identify(path), above, path, state, joined_phase, revision)


def identify(path: str) -> UUID:
    """The id of a path."""
    return UUID(int=int.from_bytes(path.encode()[-16:].rjust(16, b"\0"), "big"))


def blame(path: str, severity: str = "error") -> Signal:
    """A signal."""
    return Signal(blame_step=path, diagnostic="wrong", severity=severity)


TREE = [
    made("/", "waiting"),
    made("/api"),
    made("/api/python"),
    made("/db"),
    made("/db/python"),
    made("/check", "delegated", 1),
]


def paths(ids: object, tree: list[Node]) -> set[str]:
    """The paths of ids."""
    return {node.path for node in tree if node.id in set(ids)}  # type: ignore[call-overload]


def planned(signals: list[Signal], sender: str = "/check", tree: list[Node] | None = None) -> Plan:
    """A plan with generous caps."""
    plan = plan_rewind(tree or TREE, identify(sender), signals, 0, 9, 99)
    assert isinstance(plan, Plan)
    return plan


def test_a_leaf_runs_again_its_ancestors_wait_and_later_phases_are_void() -> None:
    plan = planned([blame("/api/python")])
    assert paths(plan.revised, TREE) == {"/api/python"}
    assert paths(plan.superseded, TREE) == {"/check"}
    assert {(w.phase, w.pending) for w in plan.waiting} == {(0, 1)}
    assert paths([w.id for w in plan.waiting], TREE) == {"/", "/api"}


def test_two_blamed_branches_make_their_ancestor_wait_for_both() -> None:
    plan = planned([blame("/api/python"), blame("/db")])
    assert paths(plan.revised, TREE) == {"/api/python", "/db"}
    assert paths(plan.superseded, TREE) == {"/check", "/db/python"}
    assert {w.id: w.pending for w in plan.waiting} == {identify("/"): 2, identify("/api"): 1}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("/api/python", "/api/python"),
        ("/api/python/", "/api/python"),
        ("//api//python", "/api/python"),
        ("/api/./python", "/api/python"),
        ("/api/rust", "/api"),
        ("/nobody/at/all", "/"),
        ("..", "/"),
        ("../../../..", "/"),
        ("../db/python", "/db/python"),
        ("/", "/"),
        (".", "/check"),
        ("", "/check"),
        ("below/me", "/check"),
    ],
)
def test_a_path_is_absolute_or_relative_and_falls_back_to_what_exists(said: str, meant: str) -> None:
    plan = planned([blame(said)])
    assert paths(plan.revised, TREE) == {meant}
    [signal] = plan.signals
    assert (signal.path, signal.revision, plan.sender_path) == (meant, 1, "/check")


def test_blaming_the_root_voids_everything_else() -> None:
    plan = planned([blame("/"), blame("/api/python")])
    assert paths(plan.revised, TREE) == {"/"}
    assert paths(plan.superseded, TREE) == {node.path for node in TREE} - {"/"}
    assert plan.waiting == ()
    assert {signal.path for signal in plan.signals} == {"/"}, "what is void reads no signals"


def test_what_runs_beside_the_sender_cannot_be_to_blame_so_its_parent_is() -> None:
    tree = [made("/", "waiting"), made("/a", "running"), made("/b"), made("/b/c")]
    assert paths(planned([blame("/b/c")], "/a", tree).revised, tree) == {"/"}


def test_a_parent_that_finds_fault_with_its_child_waits_for_it_again() -> None:
    tree = [made("/", "running"), made("/a"), made("/b")]
    plan = planned([blame("a")], "/", tree)
    assert paths(plan.revised, tree) == {"/a"}
    assert [(w.id, w.phase, w.pending) for w in plan.waiting] == [(identify("/"), 0, 1)]


def test_siblings_that_still_work_are_waited_for() -> None:
    tree = [
        made("/", "waiting"),
        made("/a", "waiting"),
        made("/a/x"),
        made("/a/y", "running", 1),
        made("/b", "running"),
    ]
    plan = planned([blame("/a/x")], "/a/y", tree)
    assert {w.id: (w.phase, w.pending) for w in plan.waiting} == {identify("/"): (0, 2), identify("/a"): (0, 1)}
    assert paths(plan.superseded, tree) == {"/a/y"}


def test_warnings_travel_along_and_send_nobody_back() -> None:
    plan = planned([blame("/api/python"), blame("/db/python", "warning")])
    assert paths(plan.revised, TREE) == {"/api/python"}
    assert {(signal.path, signal.revision) for signal in plan.signals} == {("/api/python", 1), ("/db/python", 0)}


def test_caps_hold_for_a_step_and_for_the_run() -> None:
    worn = [*TREE[:2], made("/api/python", revision=2), *TREE[3:]]
    assert plan_rewind(worn, identify("/check"), [blame("/api/python")], 2, 2, 99) == Exhausted("step")
    assert isinstance(plan_rewind(worn, identify("/check"), [blame("/db")], 2, 2, 99), Plan)
    both = [blame("/api"), blame("/db")]
    assert plan_rewind(TREE, identify("/check"), both, 2, 9, 3) == Exhausted("run")
    assert isinstance(plan_rewind(TREE, identify("/check"), both, 2, 9, 4), Plan)
    assert plan_rewind(TREE, identify("/check"), [blame("/api")], 0, 0, 9) == Exhausted("step")


@dataclass
class Grown:
    """A tree as runs make them: groups of children by phase, earlier groups ended, the last one perhaps not."""

    nodes: list[Node] = field(default_factory=list)
    working: list[Node] = field(default_factory=list)


@st.composite
def trees(draw: st.DrawFn) -> Grown:
    """Draw a tree in a state that a run can be in."""
    grown = Grown()

    def grow(path: str, joined_phase: int, depth: int, *, ended: bool) -> None:
        groups = draw(st.integers(0, 2)) if depth < 3 else 0
        below = "/" if path == "/" else f"{path}/"
        if ended:
            state = "completed"
        elif groups and draw(st.booleans()):
            state = "waiting"
        else:
            state = draw(st.sampled_from(["running", "requested"]))
        node = made(path, state, joined_phase, draw(st.integers(0, 2)))
        grown.nodes.append(node)
        if state == "running":
            grown.working.append(node)
        for phase in range(groups):
            size = draw(st.integers(1, 2))
            open_child = draw(st.integers(0, size - 1)) if state == "waiting" and phase == groups - 1 else None
            for number in range(size):
                still = open_child is not None and (number == open_child or draw(st.booleans()))
                grow(f"{below}{phase}{number}", phase, depth + 1, ended=not still)

    grow("/", 0, 0, ended=False)
    return grown


@settings(max_examples=300)
@given(tree=trees(), data=st.data())
def test_every_plan_leaves_a_tree_that_can_go_on(tree: Grown, data: st.DataObject) -> None:
    senders = tree.working or [node for node in tree.nodes if node.state == "requested"]
    sender = data.draw(st.sampled_from(senders))
    targets = data.draw(st.lists(st.sampled_from([node.path for node in tree.nodes]), min_size=1, max_size=3))
    plan = plan_rewind(tree.nodes, sender.id, [blame(path) for path in targets], 0, 9, 99)
    assert isinstance(plan, Plan)
    revised, void = set(plan.revised), set(plan.superseded)
    waiting = {w.id: w for w in plan.waiting}
    assert revised
    assert not revised & void
    assert not set(waiting) & (revised | void)
    state = {node.id: node.state for node in tree.nodes if node.id not in void}
    state |= dict.fromkeys(revised, "requested") | dict.fromkeys(waiting, "waiting")
    nodes = {node.id: node for node in tree.nodes}
    assert sender.id in revised | void | set(waiting), "the sender is neither done nor at work"
    for step, now in state.items():
        children = [node for node in tree.nodes if node.parent_id == step and node.id in state]
        if step in revised:
            assert children == [], "what runs again spawns its children anew"
        if step in waiting:
            phase = waiting[step].phase
            group = [state[node.id] for node in children if node.joined_phase == phase]
            assert waiting[step].pending == sum(each != "completed" for each in group) > 0
            assert all(state[node.id] == "completed" for node in children if node.joined_phase < phase)
            assert not [node for node in children if node.joined_phase > phase]
        if now == "completed":
            assert all(state[node.id] == "completed" for node in children), "nothing is done whose parts are not"
        above = nodes[step].parent_id
        assert above is None or above in state, "what is void takes everything below with it"
    untouched = [node for node in tree.nodes if node.id not in revised | void | set(waiting)]
    assert all(state[node.id] == node.state for node in untouched)
