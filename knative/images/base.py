"""A base image: its layers, its configuration, and the Python in it.

Promises: a base whose Python our bytecode and wheels do not fit is refused, with a sentence.
"""

from __future__ import annotations

import importlib.util
import posixpath
import re
import struct
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from knative.images.rootfs import FolderFilesystem, RootFilesystem
from knative.images.wheels import MACHINES, Interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knative.images.layers import Layer

USER: Final = 65532
"""Who runs in an image, and its group."""

_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIBRARY: Final = re.compile(r"/lib/python3\.(\d+)/os\.py")
_GLIBC: Final = re.compile(r"(/usr)?/lib(64)?/(\w+-linux-gnu/)?libc\.so\.6")
_LIBRARIES: Final = ("/lib64", "/lib", "/usr/lib64", "/usr/lib")
_MERGED: Final = ("libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
_MAGIC: Final = 4


class BaseError(RuntimeError):
    """The base image cannot be read, or does not fit; the text says what to do."""


@dataclass(frozen=True)
class Base:
    """A base image.

    Attributes:
        name: how it was named.
        digest: of its manifest; empty where it has none (docker-archive).
        config: its OCI image configuration.
        layers: the lowest first.
        root: the folder that it is unpacked in, where it has no layers: `/` inside of it.
    """

    name: str
    digest: str
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    root: Path | None = None

    @property
    def platform(self) -> str:
        """For which machine it is, such as `linux/amd64`."""
        return f"{self.config.get('os', 'linux')}/{self.config.get('architecture', '')}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets."""
        pairs = (one.partition("=") for one in (self.config.get("config") or {}).get("Env") or ())
        return {name: value for name, _, value in pairs}

    @cached_property
    def files(self) -> RootFilesystem | FolderFilesystem:
        """What its layers give."""
        if self.root is not None:
            return FolderFilesystem(self.root)
        return RootFilesystem([layer.path for layer in self.layers])

    @cached_property
    def python(self) -> str:
        """The absolute path of `python3` by which processes start, found along PATH as a runtime would.

        Raises:
            BaseError: There is none.
        """
        path = self.environment.get("PATH") or _DEFAULT_PATH
        for folder in path.split(":"):
            if self.files.program(posixpath.join(folder, "python3")):
                return posixpath.join(folder, "python3")
        raise BaseError(f"the base {self.name} has no python3 in {path}: name an image with Python")

    @cached_property
    def library(self) -> str:
        """The folder of its standard library.

        Raises:
            BaseError: There is none beside its interpreter.
        """
        program = self.files.resolved(self.python) or self.python
        prefixes = dict.fromkeys(posixpath.dirname(posixpath.dirname(path)) for path in (self.python, program))
        named = re.search(r"python3\.(\d+)$", program)
        found = {
            int(match[1]): name.removesuffix("/os.py")
            for prefix in prefixes
            for name in self.files.below(f"{prefix}/lib")
            if (match := _LIBRARY.fullmatch(name.removeprefix(prefix)))
        }
        if named and int(named[1]) in found:
            return found[int(named[1])]
        if len(found) != 1:
            seen = ", ".join(sorted(found.values())) or "none"
            raise BaseError(f"the base {self.name} must have one standard library beside {program}; it has {seen}")
        return next(iter(found.values()))

    @property
    def minor(self) -> int:
        """The minor version of its Python 3."""
        return int(self.library.rpartition(".")[2])

    def interpreter(self) -> Interpreter:
        """Give for which Python wheels must be.

        Raises:
            BaseError: it is not the minor version that builds, or not a machine that wheels are taken for.
        """
        if self.platform not in MACHINES:
            raise BaseError(f"the base {self.name} is for {self.platform}: HAL9's images are for {', '.join(MACHINES)}")
        if self.minor != sys.version_info.minor:
            raise BaseError(
                f"the base {self.name} has Python 3.{self.minor}, and this is Python 3.{sys.version_info.minor}: "
                "bytecode and extensions would not fit. Name a base with the same minor version, or build with the "
                "other Python."
            )
        self._check_magic()
        return Interpreter(self.platform, self.minor)

    def _check_magic(self) -> None:
        """Compare the number of the bytecode's format, where the base shows it."""
        tag = sys.implementation.cache_tag
        compiled = self.files.read(f"{self.library}/__pycache__/os.{tag}.pyc")
        if compiled is not None and compiled[:_MAGIC] != importlib.util.MAGIC_NUMBER:
            raise BaseError(f"the base {self.name} has another format of bytecode: it is no release of 3.{self.minor}")

    @property
    def has_bytecode(self) -> bool:
        """Whether its interpreter takes its standard library's bytecode; else every cold start compiles that anew.

        Bytecode that goes by the source's time (PEP 552) counts for nothing where the layers have other times.
        """
        tag = sys.implementation.cache_tag
        compiled = self.files.read(f"{self.library}/__pycache__/os.{tag}.pyc")
        if compiled is None:
            return False
        by_hash, modified, size = struct.unpack_from("<III", compiled, _MAGIC)
        return bool(by_hash) or (modified, size) == self.files.stamp(f"{self.library}/os.py")

    def merged_libraries(self) -> dict[str, str]:
        """Give links to glibc for the libraries that it holds since 2.34, where the base has left them out.

        Wheels are built against an older glibc and name them; the loader takes a link to a library that it has loaded
        for that library, and the versions of their symbols are in it.
        """
        libraries = (name for folder in _LIBRARIES for name in self.files.below(folder))
        glibc = next((name for name in libraries if _GLIBC.fullmatch(name)), None)
        if glibc is None:
            return {}
        folder = glibc.rpartition("/")[0]
        return {f"{folder}/{name}": "libc.so.6" for name in _MERGED if self.files.resolved(f"{folder}/{name}") is None}

    def accounts(self) -> dict[str, bytes]:
        """Give /etc/passwd and /etc/group with the user that images run as; empty where it is known already.

        PostgreSQL refuses a user without a name, and Python's expanduser wants one.
        """
        lines = {
            "/etc/passwd": (f"nonroot:x:{USER}:{USER}::/tmp:/bin/false\n", f":{USER}:"),
            "/etc/group": (f"nonroot:x:{USER}:\n", f":{USER}:"),
        }
        found = {}
        for path, (line, known) in lines.items():
            there = self.files.read(path) or b""
            if known.encode() not in there:
                found[path] = there + (b"" if not there or there.endswith(b"\n") else b"\n") + line.encode()
        return found
