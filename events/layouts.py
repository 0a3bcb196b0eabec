"""Where the attributes stand in a message, found out once for each sequence of names.

Senders write the same names in the same order, event after event. So the codec keeps, for each sequence of names that
it
has seen, which places hold which attributes, and reads the next event like it in a few steps. Promises: only names that
are right have a layout; memory is bounded, whatever is sent. It does not look at values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from events.cloudevent import CORE_ATTRIBUTES, MAX_EXTENSIONS, attribute_name_fault

Places = Callable[[Sequence[Any]], tuple[Any, ...]]
"""Picks from a sequence the values at certain places."""

_LONGEST: Final = 256
_MOST: Final = 512


class Layout:
    """Where the attributes stand.

    Attributes:
        relevant: Picks the values of attributes from all values.
        core: Picks the core attributes, in the order of `CORE_ATTRIBUTES`, from the relevant values with one None after
            them: that stands for those that are not there.
        extensions: The names of the extensions.
        values: Picks their values from the relevant ones, in that order.
        count: How many relevant values there are.
    """

    __slots__ = ("core", "count", "extensions", "relevant", "values")

    def __init__(self, attributes: Sequence[str]) -> None:
        """Find the places.

        Args:
            attributes: The attribute that each value belongs to, empty where it belongs to none.
        """
        names = [name for name in attributes if name]
        self.count = len(names)
        self.relevant = _places([place for place, name in enumerate(attributes) if name])
        self.core = _places([names.index(name) if name in names else self.count for name in CORE_ATTRIBUTES])
        self.extensions = tuple(name for name in names if name not in CORE_ATTRIBUTES)
        self.values = _places([names.index(name) for name in self.extensions])


class Layouts(dict[tuple[Any, ...], Layout | None]):
    """The layouts seen so far; gives and keeps that of a sequence of names, None when it is no usual one.

    Args:
        attribute: Gives the attribute that a name stands for, empty when it stands for none.
    """

    def __init__(self, attribute: Callable[[Any], str]) -> None:
        """Begin with none."""
        super().__init__()
        self._attribute = attribute

    def __missing__(self, names: tuple[Any, ...]) -> Layout | None:
        """Find out the layout of names that were not seen before."""
        if len(names) > _LONGEST:
            return None
        attributes = [self._attribute(name) for name in names]
        found = Layout(attributes) if _usual([name for name in attributes if name]) else None
        if sum(map(len, names)) <= _LONGEST * 16:
            if len(self) >= _MOST:
                self.clear()
            self[names] = found
        return found


def _usual(names: Sequence[str]) -> bool:
    """Tell whether each name is right and there once."""
    return (
        len(set(names)) == len(names) <= MAX_EXTENSIONS
        and {"specversion", "id", "source", "type"}.issubset(names)
        and all(attribute_name_fault(name) is None for name in names)
    )


def _places(places: Sequence[int]) -> Places:
    if not places:
        return lambda _: ()
    if len(places) == 1:
        place = places[0]
        return lambda values: (values[place],)
    return itemgetter(*places)
