"""Settings: one frozen dataclass for each concept, filled from environment variables `HAL9_...`.

    @settings
    class CacheSettings:
        '''Where the cache is.'''

        url: str | None = setting("HAL9_CACHE_URL", default=None, doc="Address of the cache.", secret=True)

    load(CacheSettings)

Promises: every fault of every variable is named in one error; a value is never in an error's text when it is secret;
the reference of all variables comes from the classes (`registered()`).
Does not: read files, or watch for changes.
"""

from __future__ import annotations

import dataclasses
import math
import os
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

REQUIRED: Final[Any] = dataclasses.MISSING
_KEY: Final = "hal9.setting"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class SettingsError(ValueError):
    """One or more environment variables are wrong; `faults` names each, in the order of the class's fields."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("settings are wrong:\n" + "\n".join(f"  {fault}" for fault in faults))


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one environment variable.

    Attributes:
        env: its name.
        default: the value when it is not set or empty; REQUIRED when there is none.
        doc: one sentence for the reference, with the unit.
        secret: its value must not be shown.
        minimum: the least number allowed.
        maximum: the greatest number allowed.
        choices: the only values allowed, when not empty.
    """

    env: str
    default: Any
    doc: str
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


def setting(
    env: str,
    default: Any = REQUIRED,
    doc: str = "",
    *,
    secret: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a dataclass field that is read from the environment variable `env`; see `Setting` for the arguments."""
    about = Setting(env, default, doc, secret, minimum, maximum, choices)
    return dataclasses.field(default=default, metadata={_KEY: about})


_CLASSES: dict[str, type] = {}


@dataclass_transform(field_specifiers=(setting, dataclasses.field), frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of settings, and put it into the reference."""
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    _CLASSES[f"{cls.__module__}.{cls.__qualname__}"] = made
    return made


def registered() -> Mapping[str, type]:
    """Give the classes of settings that were imported so far, by module and name."""
    return dict(_CLASSES)


def described(cls: type) -> list[tuple[str, Setting]]:
    """Give (type as written, setting) for each field of a class of settings."""
    return [(str(field.type), field.metadata[_KEY]) for field in dataclasses.fields(cls) if _KEY in field.metadata]


def load(cls: type[T], environ: Mapping[str, str] | None = None) -> T:
    """Fill a class of settings from the environment.

    Args:
        cls: a dataclass whose fields were made with `setting`: str, int, float, bool, Path, or one of them `| None`.
        environ: the variables; the process's own when None.

    Raises:
        SettingsError: a variable is missing, has the wrong type, or is out of range. Names all of them.
    """
    variables = os.environ if environ is None else environ
    kinds = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        about: Setting | None = field.metadata.get(_KEY)
        if about is None:
            continue
        try:
            values[field.name] = _value(about, kinds[field.name], variables.get(about.env, ""))
        except ValueError as error:
            faults.append(f"{about.env}: {error}")
    if faults:
        raise SettingsError(faults)
    return cls(**values)


def _value(about: Setting, kind: Any, text: str) -> Any:
    """Read one variable. Raises ValueError with what is expected."""
    if text == "":
        if about.default is REQUIRED:
            raise ValueError(f"is not set. {about.doc}".rstrip())
        return about.default
    shown = "(hidden)" if about.secret else repr(text)
    value = _convert(_plain(kind), text, shown)
    if about.choices and text not in about.choices:
        raise ValueError(f"must be one of {', '.join(about.choices)}, not {shown}")
    if about.minimum is not None and value < about.minimum:
        raise ValueError(f"must be at least {about.minimum:g}, not {shown}")
    if about.maximum is not None and value > about.maximum:
        raise ValueError(f"must be at most {about.maximum:g}, not {shown}")
    return value


def _plain(kind: Any) -> Any:
    """Take `| None` off a type."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def _convert(kind: Any, text: str, shown: str) -> Any:
    """Turn a text into a value of the type. Raises ValueError with what is expected."""
    if kind is bool:
        return _boolean(text, shown)
    if kind is int or kind is float:
        return _number(kind, text, shown)
    if kind is Path:
        return Path(text).expanduser()
    if kind is str:
        return text
    raise TypeError(f"settings cannot be of the type {kind!r}: use str, int, float, bool or Path")


def _boolean(text: str, shown: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"must be true or false, not {shown}")


def _number(kind: type[int] | type[float], text: str, shown: str) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"must be {'a whole number' if kind is int else 'a number'}, not {shown}") from None
    if not math.isfinite(value):
        raise ValueError(f"must be finite, not {shown}")
    return value
