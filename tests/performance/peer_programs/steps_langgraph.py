"""LangGraph with PostgresSaver: seconds of each step of a graph that loops over one node that does nothing."""

from __future__ import annotations

import itertools
import json
import sys
import time
import uuid
from typing import Any, TypedDict

from langgraph.checkpoint.postgres import PostgresSaver  # type: ignore[import-not-found]
from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]

from tests.performance.processor import of_tree


class State(TypedDict):
    """What is checkpointed."""

    number: int


def main() -> None:
    """Run the graph once to warm up, then once to measure."""
    asked = json.load(sys.stdin)
    begun: list[float] = []

    def nothing(state: State) -> State:
        begun.append(time.perf_counter())
        return {"number": state["number"] + 1}

    def next_node(state: State) -> Any:
        return END if state["number"] > asked["steps"] else "nothing"

    graph = StateGraph(State)
    graph.add_node("nothing", nothing)
    graph.add_edge(START, "nothing")
    graph.add_conditional_edges("nothing", next_node)
    dsn = "postgresql://{user}@/{database}?host={host}&port={port}".format(**asked)
    with PostgresSaver.from_conn_string(dsn) as saver:
        saver.setup()
        compiled = graph.compile(checkpointer=saver)
        _run(compiled, asked)
        begun.clear()
        before = time.process_time() + of_tree(asked["postmaster"])
        started = time.perf_counter()
        _run(compiled, asked)
        whole = time.perf_counter() - started
        cpu = time.process_time() + of_tree(asked["postmaster"]) - before
    seconds = [after - before for before, after in itertools.pairwise(begun)]
    if asked["durability"] == "async":
        # Nodes run ahead of their checkpoints: only the whole run, which waits for the last one, tells what each costs.
        seconds = [whole / len(begun)]
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_seconds": cpu / len(begun)}) + "\n")


def _run(compiled: Any, asked: dict[str, Any]) -> None:
    config = {"configurable": {"thread_id": str(uuid.uuid4())}, "recursion_limit": asked["steps"] + 10}
    compiled.invoke({"number": 0}, config, durability=asked["durability"])


if __name__ == "__main__":
    main()
