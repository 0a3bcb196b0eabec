"""Lists that come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    P = TypeVar("P")
    T = TypeVar("T")


def each(
    page: Callable[[object | None], P], items: Callable[[P], Sequence[T]], cursor: Callable[[P], object | None]
) -> Iterator[T]:
    """Give every item of every page; a page is asked for when the one before is used up.

    Args:
        page: Gives the page after a cursor, the first one for None.
        items: Gives a page's items.
        cursor: Gives the cursor of the page after a page, None after the last one.
    """
    after: object | None = None
    while True:
        found = page(after)
        yield from items(found)
        after = cursor(found)
        if after is None:
            return
