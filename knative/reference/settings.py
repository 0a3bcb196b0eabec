"""The reference of settings and of problems, from the classes and registrations themselves.

Promises: every module of the project is imported, so that no setting and no problem is missing; defaults of secrets are
not shown. Does not check that the sentences are true.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import events
import functions
import knative
import shared
from shared import problems
from shared.settings import REQUIRED, described, registered

if TYPE_CHECKING:
    from shared.settings import Setting

_NOTE: Final = "<!-- Written by `hal9 reference`: change the code, not this file. -->\n"
_HEAD: Final = "| variable | type | default | what it says |\n|---|---|---|---|\n"
_PROGRAMS: Final = ("__main__", "launcher")
"""Modules that are run, not imported."""


def files() -> dict[Path, bytes]:
    """Give the pages by their paths from the checkout's root."""
    _import_all()
    folder = Path("docs/reference")
    return {folder / "settings.md": _settings_page().encode(), folder / "problems.md": _problems_page().encode()}


def _import_all() -> None:
    for package in (shared, events, functions, knative):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] not in _PROGRAMS:
                importlib.import_module(module.name)


def _settings_page() -> str:
    parts = [_NOTE, "# Settings\n", "Environment variables, by the concept that they belong to.\n"]
    for name, cls in sorted(registered().items(), key=lambda item: item[1].__name__):
        if name.startswith(("shared.", "events.", "functions.", "knative.")):
            rows = "\n".join(_row(kind, setting) for kind, setting in described(cls))
            summary = (cls.__doc__ or "").strip().split("\n")[0]
            parts.append(f"## {cls.__name__}\n\n{summary}\n\n{_HEAD}{rows}\n")
    return "\n".join(parts)


def _row(kind: str, setting: Setting) -> str:
    default = (
        "required"
        if setting.default is REQUIRED
        else f"`{setting.default if isinstance(setting.default, Path) else repr(setting.default)}`"
    )
    limits = [f"one of {', '.join(f'`{choice}`' for choice in setting.choices)}"] if setting.choices else []
    limits += [f"at least {setting.minimum:g}"] if setting.minimum is not None else []
    limits += [f"at most {setting.maximum:g}"] if setting.maximum is not None else []
    note = f" ({'; '.join(limits)})" if limits else ""
    shown = "secret" if setting.secret else default
    return f"| `{setting.env}` | {kind.replace('|', 'or')} | {shown} | {setting.doc}{note} |"


def _problems_page() -> str:
    rows = "\n".join(
        f"| `{problems.TYPE_PREFIX}{kind.slug}` | {kind.status} | {kind.title} | {kind.remedy} |"
        for kind in sorted(problems.registered().values(), key=lambda kind: kind.slug)
    )
    intro = "Every refusal is a problem document (RFC 9457). Its `type` is one of these and never changes.\n"
    return f"{_NOTE}\n# Problems\n\n{intro}\n| type | status | title | what to do |\n|---|---|---|---|\n{rows}\n"
