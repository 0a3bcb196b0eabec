"""The catalogue of data structures that a library may offer: what each is called, and what can be done with it.

An implementer writes each of them in its language, with tests. Adding one here obliges every available implementer.
`words` are what people call a structure; `vocabulary` is all that may be said of it truthfully, in base forms, so that
a reader of requests can tell what is offered from what is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class StructureContract:
    """A data structure's contract.

    Attributes:
        name: What `Structure.name` says.
        type: The name of its type, in the convention of most languages.
        title: What people call it.
        summary: What it does, as a clause.
        operations: The names of what can be done with it.
        words: Alternatives of words (base forms), all of which name it.
        vocabulary: Further words (base forms) that speak of what it offers.
        raised: For each error that it raises, the words (base forms) of which it is said truthfully.
    """

    name: str
    type: str
    title: str
    summary: str
    operations: tuple[str, ...]
    words: tuple[frozenset[str], ...]
    vocabulary: frozenset[str]
    raised: Mapping[str, frozenset[str]]


def _structure(
    name: str, kind: str, title: str, summary: str, operations: str, words: str, said: str, raised: str = ""
) -> StructureContract:
    alternatives = tuple(frozenset(alternative.split()) for alternative in words.split("|"))
    return StructureContract(
        name,
        kind,
        title,
        summary,
        tuple(operations.split()),
        alternatives,
        frozenset(said.split()),
        {error: frozenset(words.split(",")) for error, _, words in (part.partition(":") for part in raised.split())},
    )


_CLEAR: Final = "clear empty length size len count number contain membership check test exist is"

_ALL: Final = (
    _structure(
        "lru_cache",
        "LRUCache",
        "LRU cache",
        "a cache that forgets what was not used for longest",
        "get put delete clear keys",
        "lru|least recently used",
        "cache bound capacity evict eviction remove forget drop oldest old hit miss statistic set insert add "
        "store recently use least full fix fixed limit maximum key value default missing entry most "
        f"recent order constant access {_CLEAR}",
        "valueerror:capacity",
    ),
    _structure(
        "ttl_cache",
        "TTLCache",
        "cache with expiry",
        "a cache whose values expire",
        "get put delete purge clear keys",
        "ttl|cache expire|cache expiry|cache expiration|cache time-to-live|cache live",
        "cache expire expiry expiration live lifetime second key value set insert add store remove drop "
        "forget evict stale own individual entry capacity limit maximum full default missing clock "
        f"cleanup clean up {_CLEAR}",
        "valueerror:capacity,ttl,lifetime",
    ),
    _structure(
        "token_bucket",
        "TokenBucket",
        "token-bucket rate limiter",
        "a rate limiter that allows bursts",
        "acquire available wait_time",
        "token bucket|token-bucket|rate limiter|rate-limiter",
        "token bucket rate limiter limit capacity refill fill second burst acquire take consume allow "
        "request available wait try thread safe thread-safe clock steady per remain call permit long "
        "until time",
        "valueerror:capacity,rate",
    ),
    _structure(
        "trie",
        "Trie",
        "trie",
        "a prefix tree of words, for completion",
        "insert remove starts_with complete count",
        "trie|prefix tree|autocomplete|auto-complete|autocompletion",
        "word insert add remove delete search find look lookup prefix start begin complete completion "
        "autocomplete suggest suggestion limit maximum alphabetical sort order give list top match "
        f"{_CLEAR}",
        "valueerror:limit",
    ),
    _structure(
        "priority_queue",
        "PriorityQueue",
        "priority queue",
        "a queue that gives what is most urgent first",
        "push pop peek remove change_priority clear is_empty",
        "priority queue|priority-queue|min-heap|min heap|max heap|max-heap|binary heap",
        "item element priority queue push insert add enqueue pop dequeue extract take peek look next "
        "first go low lowest smallest small high highest large largest urgent min max minimum maximum heap "
        "update change remove equal same stable order fifo insertion tie come out raise error indexerror "
        f"arrive {_CLEAR}",
    ),
    _structure(
        "stack",
        "Stack",
        "stack",
        "what came last goes first",
        "push pop peek clear is_empty",
        "stack",
        f"item element push pop peek top look last first lifo capacity full maximum raise error indexerror {_CLEAR}",
        "valueerror:capacity overflowerror:full indexerror:empty",
    ),
    _structure(
        "fifo_queue",
        "Queue",
        "queue",
        "what came first goes first",
        "enqueue dequeue peek clear is_empty",
        "fifo queue|fifo|queue enqueue|queue dequeue|simple queue|queue structure|queue class|bounded queue",
        "item element queue enqueue dequeue push pop add remove take peek look front first fifo capacity "
        f"full bound maximum raise error indexerror {_CLEAR}",
        "valueerror:capacity overflowerror:full indexerror:empty",
    ),
    _structure(
        "interval_set",
        "IntervalSet",
        "interval set",
        "a set of points on a line, kept as intervals that are merged",
        "add remove overlaps intervals union intersection difference total_length",
        "interval set|set interval|merge interval|interval merge|interval merging|interval tree",
        "interval range set add insert remove subtract merge overlap touch adjacent point contain union "
        "intersection difference total length sum list start end half-open open order sort cover "
        f"{_CLEAR}",
        "valueerror:interval,end",
    ),
    _structure(
        "matrix",
        "Matrix",
        "matrix",
        "a matrix of numbers that does not change",
        "identity rows add subtract scale multiply transpose determinant inverse",
        "matrix",
        "add addition sum subtract subtraction multiply multiplication scale scalar transpose "
        "transposition determinant inverse invert inversion identity equality equal compare row column "
        "shape size dimension square number two fit match mismatch different raise error valueerror operator "
        "arithmetic product element create immutable",
    ),
    _structure(
        "graph",
        "Graph",
        "graph",
        "nodes and weighted edges, with shortest paths and searches",
        "add_node add_edge remove_edge remove_node nodes edges neighbours shortest_path distance "
        "breadth_first depth_first components topological_order has_cycle",
        "graph|dijkstra",
        "graph node vertex vertice edge weight weighted add remove neighbour neighbor short shortest "
        "path dijkstra distance two breadth depth first breadth-first depth-first bfs dfs search "
        "traversal traverse component connect connected topological sort order cycle detect detection "
        "direct directed undirected none reach reachable algorithm compute length cost negative between "
        "list",
    ),
    _structure(
        "money",
        "Money",
        "money",
        "exact amounts of money in a currency",
        "add subtract multiply convert allocate",
        "money|monetary",
        "money amount currency add addition subtract subtraction multiply multiplication compare "
        "comparison convert conversion rate exchange allocate allocation split share ratio part lose "
        "cent round bank banker half even decimals decimal exact precise different mix same raise error "
        "valueerror arithmetic type immutable equality equal type format string without fairly evenly "
        "distribute",
    ),
)

STRUCTURES: Final[dict[str, StructureContract]] = {structure.name: structure for structure in _ALL}
"""Every data structure, by name."""

UNAVAILABLE: Final = (
    "bloom filter", "skip list", "linked list", "red-black tree", "avl tree", "b-tree",
    "binary search tree", "segment tree", "fenwick tree", "ring buffer", "circular buffer", "deque",
    "hash map", "hash table", "disjoint set", "union-find", "event bus", "event emitter",
    "state machine", "thread pool", "lfu cache", "sliding window", "binary tree", "kd-tree",
    "quadtree", "object pool", "circuit breaker",
)  # fmt: skip
"""What people ask libraries for and no implementer writes."""


def offered() -> str:
    """Name the structures that there are, for people."""
    return ", ".join(structure.title for structure in _ALL)
