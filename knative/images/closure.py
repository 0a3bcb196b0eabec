"""Which of our modules a program may import, and which distributions those need: read from the source, nothing is run.

Every `import` counts, also one inside a function (that is how heavy libraries are imported here), except below
`if TYPE_CHECKING`. A module that imports others by a name which it computes (`importlib.import_module`, `pkgutil`) gets
its whole package. Promises: what is reached this way is enough to start and to work; what is not reached is not taken.
Does not: see names that come from settings; the callers of `reached` name those packages as roots.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACKAGES: Final = ("functions", "shared", "events", "knative")
"""Our import packages, at the root of the checkout."""

_COMPUTED: Final = frozenset({"import_module", "__import__", "iter_modules", "walk_packages"})


class UnknownModuleError(LookupError):
    """A root, or an import of our own packages, names no module of the checkout."""


@dataclass(frozen=True, slots=True)
class Closure:
    """What a program may import.

    Attributes:
        files: our own modules, as files.
        foreign: dotted names of modules that are not ours, the standard library's among them.
    """

    files: frozenset[Path]
    foreign: frozenset[str]


def reached(checkout: Path, roots: Iterable[str]) -> Closure:
    """Follow the imports from modules and whole packages.

    Args:
        checkout: the folder that holds our packages.
        roots: dotted names of modules; `package.*` stands for a package with everything below it.

    Raises:
        UnknownModuleError: a root, or an import, is not there.
    """
    files: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = [name for root in roots for name in _expanded(checkout, root)]
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        path = _file(checkout, name)
        if path is None:
            raise UnknownModuleError(f"there is no module {name} in {checkout}")
        files[name] = path
        waiting += _parents(checkout, name)
        for imported in _imports(checkout, name, path):
            (waiting.append if imported.partition(".")[0] in PACKAGES else foreign.add)(imported)
    return Closure(frozenset(files.values()), frozenset(foreign))


def _expanded(checkout: Path, root: str) -> list[str]:
    """Give a root as modules: itself, or with `.*` all that its folder holds."""
    package, star, _ = root.partition(".*")
    if not star:
        return [root]
    folder = checkout.joinpath(*package.split("."))
    found = [
        ".".join(path.relative_to(checkout).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(folder.rglob("*.py"))
    ]
    if not found:
        raise UnknownModuleError(f"there is no package {package} in {checkout}")
    return found


def _file(checkout: Path, name: str) -> Path | None:
    path = checkout.joinpath(*name.split("."))
    return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if one.is_file()), None)


def _parents(checkout: Path, name: str) -> list[str]:
    """Give the packages around a module, which run when it is imported; a folder without __init__.py has nothing to."""
    parts = name.split(".")[:-1]
    names = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    return [one for one in names if _file(checkout, one) is not None]


def _imports(checkout: Path, name: str, path: Path) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _executed(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(checkout, node, package)
        elif isinstance(node, ast.Call) and _called(node) in _COMPUTED:
            yield from _expanded(checkout, f"{package}.*")


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk all that may run: not what stands below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _for_types(node.test):
            for other in node.orelse:
                yield other
                yield from _executed(other)
        else:
            yield node
            yield from _executed(node)


def _for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _imported_from(checkout: Path, node: ast.ImportFrom, package: str) -> Iterator[str]:
    """Give the module, and each imported name that is a module itself."""
    base = node.module or ""
    if node.level:
        around = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*around, *([base] if base else [])])
    own = base.partition(".")[0] in PACKAGES
    if not own:
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
        return
    if _file(checkout, base) is not None:
        yield base
    yield from (f"{base}.{alias.name}" for alias in node.names if _file(checkout, f"{base}.{alias.name}") is not None)


def data_files(checkout: Path, files: Iterable[Path], suffixes: frozenset[str]) -> frozenset[Path]:
    """Give what lies beside modules and is read by them: SQL, templates, schemas.

    Args:
        checkout: the folder that holds our packages.
        files: the modules.
        suffixes: of the files that count, such as `.sql`.

    Returns:
        the files of those suffixes in the modules' folders, and in folders below them that hold no module of their own;
        at the top of a package (`shared/`, …) nothing is taken.
    """
    folders = {path.parent for path in files if path.parent.parent != checkout}
    return frozenset(path for folder in folders for path in _data_below(folder, suffixes))


def _data_below(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in suffixes:
            yield path
        elif path.is_dir() and path.name != "__pycache__" and next(path.rglob("*.py"), None) is None:
            yield from _data_below(path, suffixes)
