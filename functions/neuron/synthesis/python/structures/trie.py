"""A prefix tree of words, for completion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    ends: bool = False


class Trie:
    """Keeps words so that those which begin with a prefix are found without looking at the others.

    Raises:
        ValueError: A word is empty.

    Examples:
        >>> trie = Trie(["car", "cart", "dog"])
        >>> trie.complete("ca")
        ['car', 'cart']
        >>> "ca" in trie
        False
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._size = 0
        for word in words:
            self.insert(word)

    def insert(self, word: str) -> None:
        """Keep a word; one that is there already changes nothing.

        Raises:
            ValueError: The word is empty.
        """
        if not word:
            raise ValueError("The word must not be empty.")
        node = self._root
        for character in word:
            node = node.children.setdefault(character, _Node())
        self._size += not node.ends
        node.ends = True

    def remove(self, word: str) -> bool:
        """Forget a word; tell whether it was there."""
        path = [self._root]
        for character in word:
            node = path[-1].children.get(character)
            if node is None:
                return False
            path.append(node)
        if not path[-1].ends:
            return False
        path[-1].ends = False
        self._size -= 1
        for parent, character in zip(reversed(path[:-1]), reversed(word), strict=True):
            child = parent.children[character]
            if child.ends or child.children:
                break
            del parent.children[character]
        return True

    def starts_with(self, prefix: str) -> bool:
        """Tell whether a word begins with the prefix."""
        node = self._node(prefix)
        return node is not None and (node.ends or bool(node.children))

    def complete(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """List the words that begin with the prefix, in alphabetical order, at most `limit` of them.

        Raises:
            ValueError: The limit is negative.
        """
        if limit is not None and limit < 0:
            raise ValueError("The limit must not be negative.")
        found: list[str] = []
        for word in self._words(prefix):
            if limit is not None and len(found) == limit:
                break
            found.append(word)
        return found

    def count(self, prefix: str) -> int:
        """Count the words that begin with the prefix."""
        return sum(1 for _ in self._words(prefix))

    def __contains__(self, word: object) -> bool:
        node = self._node(word) if isinstance(word, str) else None
        return node is not None and node.ends

    def __iter__(self) -> Iterator[str]:
        return self._words("")

    def __len__(self) -> int:
        return self._size

    def _node(self, prefix: str) -> _Node | None:
        node: _Node | None = self._root
        for character in prefix:
            node = node.children.get(character) if node is not None else None
        return node

    def _words(self, prefix: str) -> Iterator[str]:
        start = self._node(prefix)
        waiting = [] if start is None else [(prefix, start)]
        while waiting:
            word, node = waiting.pop()
            if node.ends:
                yield word
            waiting += [(word + c, node.children[c]) for c in sorted(node.children, reverse=True)]
