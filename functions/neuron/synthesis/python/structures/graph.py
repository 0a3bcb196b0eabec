"""Graphs with weighted edges."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

N = TypeVar("N", bound="Hashable")


class Graph(Generic[N]):
    """Nodes and weighted edges between them, which point in one direction when the graph is `directed`.

    Examples:
        >>> graph: Graph[str] = Graph()
        >>> graph.add_edge("a", "b", 2)
        >>> graph.add_edge("b", "c", 2)
        >>> graph.add_edge("a", "c", 5)
        >>> graph.shortest_path("a", "c")
        ['a', 'b', 'c']
        >>> graph.distance("a", "c")
        4
    """

    def __init__(self, *, directed: bool = False) -> None:
        self._directed = directed
        self._edges: dict[N, dict[N, float]] = {}

    def add_node(self, node: N) -> None:
        """Add a node; one that is there already changes nothing."""
        self._edges.setdefault(node, {})

    def add_edge(self, start: N, end: N, weight: float = 1) -> None:
        """Add an edge, and its nodes when they are new; it takes the place of an earlier one.

        Raises:
            ValueError: The weight is negative.
        """
        if not weight >= 0:
            raise ValueError("The weight of an edge must not be negative.")
        self.add_node(start)
        self.add_node(end)
        self._edges[start][end] = weight
        if not self._directed:
            self._edges[end][start] = weight

    def remove_edge(self, start: N, end: N) -> bool:
        """Remove an edge; tell whether it was there."""
        if end not in self._edges.get(start, {}):
            return False
        del self._edges[start][end]
        if not self._directed:
            self._edges[end].pop(start, None)
        return True

    def remove_node(self, node: N) -> bool:
        """Remove a node with its edges; tell whether it was there."""
        if node not in self._edges:
            return False
        del self._edges[node]
        for neighbours in self._edges.values():
            neighbours.pop(node, None)
        return True

    def nodes(self) -> list[N]:
        """List the nodes in the order in which they came."""
        return list(self._edges)

    def edges(self) -> list[tuple[N, N, float]]:
        """List the edges as (start, end, weight); of an undirected graph each once."""
        found: list[tuple[N, N, float]] = []
        seen: set[N] = set()
        for start, neighbours in self._edges.items():
            found += [(start, end, weight) for end, weight in neighbours.items() if self._directed or end not in seen]
            seen.add(start)
        return found

    def neighbours(self, node: N) -> list[N]:
        """List the nodes to which an edge leads from a node.

        Raises:
            KeyError: There is no such node.
        """
        return list(self._edges[node])

    def shortest_path(self, start: N, end: N) -> list[N] | None:
        """Give the nodes of a path with the least total weight (Dijkstra's algorithm); None when no path leads there.

        Raises:
            KeyError: There is no such node.
        """
        before = self._reached(start, end)[1]
        if end not in before:
            return None
        path = [end]
        while path[-1] != start:
            path.append(before[path[-1]])
        return path[::-1]

    def distance(self, start: N, end: N) -> float | None:
        """Give the least total weight of a path; None when no path leads there.

        Raises:
            KeyError: There is no such node.
        """
        return self._reached(start, end)[0].get(end)

    def breadth_first(self, start: N) -> list[N]:
        """List what can be reached from a node, the nearest first.

        Raises:
            KeyError: There is no such node.
        """
        found = dict.fromkeys([start])
        waiting = deque([start])
        while waiting:
            for neighbour in self._edges[waiting.popleft()]:
                if neighbour not in found:
                    found[neighbour] = None
                    waiting.append(neighbour)
        return list(found)

    def depth_first(self, start: N) -> list[N]:
        """List what can be reached from a node, following each path to its end first.

        Raises:
            KeyError: There is no such node.
        """
        found: dict[N, None] = {}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found[node] = None
                waiting += reversed(self._edges[node])
        return list(found)

    def components(self) -> list[list[N]]:
        """List the groups of nodes that edges connect, whatever their direction."""
        joined = Graph[N]()
        for node in self._edges:
            joined.add_node(node)
        for start, end, _ in self.edges():
            joined.add_edge(start, end)
        found: list[list[N]] = []
        seen: set[N] = set()
        for node in self._edges:
            if node not in seen:
                found.append(joined.breadth_first(node))
                seen.update(found[-1])
        return found

    def topological_order(self) -> list[N]:
        """List the nodes so that every edge leads forward.

        Raises:
            ValueError: The graph is not directed, or has a cycle.
        """
        if not self._directed:
            raise ValueError("Only a directed graph has such an order.")
        incoming = dict.fromkeys(self._edges, 0)
        for neighbours in self._edges.values():
            for end in neighbours:
                incoming[end] += 1
        ready = deque(node for node, count in incoming.items() if count == 0)
        order: list[N] = []
        while ready:
            order.append(ready.popleft())
            for end in self._edges[order[-1]]:
                incoming[end] -= 1
                if incoming[end] == 0:
                    ready.append(end)
        if len(order) < len(self._edges):
            raise ValueError("The graph has a cycle.")
        return order

    def has_cycle(self) -> bool:
        """Tell whether a path leads from a node back to itself without using an edge twice."""
        if not self._directed:
            return len(self.edges()) > len(self._edges) - len(self.components())
        try:
            self.topological_order()
        except ValueError:
            return True
        return False

    def __contains__(self, node: object) -> bool:
        return node in self._edges

    def __len__(self) -> int:
        return len(self._edges)

    def _reached(self, start: N, end: N) -> tuple[dict[N, float], dict[N, N]]:
        """Give the distances that are known once `end` is, and each node's predecessor."""
        _ = self._edges[start], self._edges[end]
        distances: dict[N, float] = {}
        before: dict[N, N] = {}
        numbers = itertools.count()
        waiting: list[tuple[float, int, N, N]] = [(0, next(numbers), start, start)]
        while waiting and end not in distances:
            distance, _, node, previous = heapq.heappop(waiting)
            if node in distances:
                continue
            distances[node], before[node] = distance, previous
            for neighbour, weight in self._edges[node].items():
                heapq.heappush(waiting, (distance + weight, next(numbers), neighbour, node))
        return distances, before
