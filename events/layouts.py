"""Where the attributes stand in a message, found out once for each sequence of names.

Senders write the same names in the same order, event after event. So the codec keeps, for each sequence of names that
it has
seen, which places hold which attributes, and reads the next event like it in a few steps. Promises: only names that
are right have a layout; memory is bounded, whatever is sent. It does not look at values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from events.cloudevent import CORE_ATTRIBUTES, MAX_EXTENSIONS, attribute_name_fault

_LONGEST: Final = 256
_MOST: Final = 512


class Layout:
    """Where the attributes stand.

    Attributes:
        version: The place of `specversion` among all values.
        values: Picks the other attributes' values, in the order in which the template takes them.
        template: Makes of them an `events.cloudevent.Unchecked` in JSON, when none has a character that JSON would
            escape.
    """

    __slots__ = ("template", "values", "version")

    def __init__(self, attributes: Sequence[str]) -> None:
        """Find the places.

        Args:
            attributes: The attribute that each value belongs to, empty where it belongs to none.
        """
        core = CORE_ATTRIBUTES[1:]
        extensions = [name for name in attributes if name and name not in CORE_ATTRIBUTES]
        taken = [*(name for name in core if name in attributes), *extensions]
        self.version = attributes.index("specversion")
        self.values: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*map(attributes.index, taken))
        fields = ",".join('"%b"' if name in attributes else "null" for name in core)
        members = ",".join(f'"{name}":"%b"' for name in extensions)
        self.template = f"[{fields},{{{members}}}]".encode()


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
