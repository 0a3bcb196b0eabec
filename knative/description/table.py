"""A TOML table that is read key by key: collects faults, and knows which keys nobody asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")


class DescriptionError(ValueError):
    """A function.toml is wrong; `faults` names every fault, each with its place."""

    def __init__(self, where: str, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(f"{where} is wrong:\n" + "\n".join(f"  {fault}" for fault in faults))


class Table:
    """One table of the file.

    Args:
        content: as TOML gave it; anything else than a table is a fault.
        place: where it is, for the faults' text; empty for the whole file.
        faults: where faults are put.
    """

    def __init__(self, content: Any, place: str, faults: list[str]) -> None:
        self.place = place
        self.faults = faults
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}
        self._left = dict(self._content)
        if not isinstance(content, dict):
            faults.append(f"{place or 'the file'} must be a table")

    def fault(self, key: str, text: str) -> None:
        """Note a fault of a key."""
        self.faults.append(f"{self._at(key)} {text}")

    def present(self) -> Mapping[str, Any]:
        """Give the keys that are there, with their values as they are."""
        return self._content

    def text(
        self, key: str, default: str | None = None, pattern: re.Pattern[str] | None = None, expected: str = ""
    ) -> str:
        """Take a string; a default of None means that it must be there."""
        value = self._take(key, default, "")
        if not isinstance(value, str):
            self.fault(key, "must be a string")
            return ""
        if pattern is not None and key in self._content and pattern.fullmatch(value) is None:
            self.fault(key, f"must be {expected}, not {value!r}")
        return value

    def choice(self, key: str, default: str | None, choices: Collection[str]) -> str:
        """Take one of a few strings."""
        value = self.text(key, default)
        if key in self._content and value not in choices:
            self.fault(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """Take a whole number within bounds."""
        value = self._take(key, default, 0)
        if type(value) is not int or not least <= value <= most:
            self.fault(key, f"must be a whole number from {least} to {most}, not {value!r}")
            return default
        return value

    def number(self, key: str, default: float | None, least: float, most: float) -> float:
        """Take a number within bounds; a default of None means that it must be there."""
        value = self._take(key, default, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(key, f"must be a number, not {value!r}")
            return least
        if key in self._content and not least <= value <= most:
            self.fault(key, f"must be from {least:g} to {most:g}, not {value!r}")
        return float(value)

    def truth(self, key: str, *, default: bool) -> bool:
        """Take a boolean."""
        value = self._take(key, default, default)
        if not isinstance(value, bool):
            self.fault(key, f"must be true or false, not {value!r}")
            return default
        return value

    def texts(self, key: str, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
        """Take a list of different strings."""
        value = self._take(key, [], [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(key, "must be a list of strings")
            return ()
        for item in value:
            if pattern.fullmatch(item) is None:
                self.fault(key, f"must hold {expected}, not {item!r}")
        if len(set(value)) != len(value):
            self.fault(key, "holds something twice")
        return tuple(value)

    def variables(self, key: str) -> Mapping[str, str]:
        """Take a table of environment variables."""
        content = self.table(key).present()
        for name, value in content.items():
            if VARIABLE.fullmatch(name) is None or not isinstance(value, str):
                self.fault(key, f'must hold variables such as HAL9_X = "text", not {name} = {value!r}')
        return {name: str(value) for name, value in content.items()}

    def table(self, key: str) -> Table:
        """Take a table inside; an empty one when it is not there."""
        return Table(self._take(key, {}, {}), self._at(key), self.faults)

    def tables(self, key: str) -> list[Table]:
        """Take an array of tables."""
        value = self._take(key, [], [])
        if not isinstance(value, list):
            self.fault(key, "must be an array of tables")
            return []
        return [Table(item, f"{self._at(key)}[{index}]", self.faults) for index, item in enumerate(value)]

    def raw(self, key: str) -> Any:
        """Take whatever is there, None when nothing is."""
        return self._left.pop(key, None)

    def finish(self) -> None:
        """Note what nobody asked for."""
        for key in self._left:
            self.fault(key, "is not known here")

    def _take(self, key: str, default: Any, fallback: Any) -> Any:
        if key not in self._content and default is None:
            self.fault(key, "is missing")
            return fallback
        return self._left.pop(key, default)

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key
