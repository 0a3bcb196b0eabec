"""The lock file's wheels for a platform: downloaded once, checked against their hashes, read without installing.

Promises: a wheel is used only when the lock file has its hash; nothing is built, and no file names a registry (pip's
own configuration does). Does not: resolve: the lock file says which versions.
"""

from __future__ import annotations

import email.parser
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.tags import Tag

_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)\s*(?:;\s*(?P<marker>.*))?")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_GLIBC: Final = (17, 34)
"""The oldest and the newest minor version of glibc 2 whose wheels are taken: bases since 2022 have the newest."""

MACHINES: Final = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""The machines that images can be for, by their OCI name."""


class WheelError(RuntimeError):
    """A wheel cannot be had, or is not what the lock file says; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution of a lock file: its version, the sha256 of every file that may be it, and where it applies."""

    name: str
    version: str
    hashes: frozenset[str]
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """For which Python wheels are.

    Attributes:
        platform: `linux/amd64` or `linux/arm64`.
        minor: the minor version of Python 3.
    """

    platform: str
    minor: int

    @property
    def machine(self) -> str:
        """The machine as wheels name it."""
        return MACHINES[self.platform]

    def environment(self) -> dict[str, str]:
        """Give the values of environment markers (PEP 508) that hold in the image."""
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_version": f"3.{self.minor}",
            "python_full_version": f"3.{self.minor}.99",  # the base's patch level is not the lock file's matter
            "sys_platform": "linux",
        }

    def platforms(self) -> list[str]:
        """Give the platform tags that its wheels may have, the newest first (PEP 600)."""
        oldest, newest = _GLIBC
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(newest, oldest - 1, -1)]
        older = [f"{name}_{self.machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
        low = [f"manylinux_2_{minor}_{self.machine}" for minor in (12, 5)]
        return tags + low + older

    def tags(self) -> frozenset[Tag]:
        """Give every tag that its wheels may have (PEP 425)."""
        version = (3, self.minor)
        return frozenset(
            [
                *cpython_tags(version, [f"cp3{self.minor}"], self.platforms()),
                *compatible_tags(version, f"cp3{self.minor}", self.platforms()),
            ]
        )


def read_lock(path: Path) -> dict[str, Pin]:
    """Read a lock file of `uv pip compile --generate-hashes`, by the distributions' canonical names.

    Raises:
        WheelError: a line is no pin, or a pin has no hash.
    """
    pins: dict[str, Pin] = {}
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        pinned = line.split("--hash", maxsplit=1)[0].strip()
        if not pinned or pinned.startswith("#"):
            continue
        match, hashes = _PIN.fullmatch(pinned), frozenset(_HASH.findall(line))
        if match is None or not hashes:
            raise WheelError(f"{path}: {pinned!r} is no pinned distribution with its hashes")
        name = canonicalize_name(match["name"])
        pins[name] = Pin(name, match["version"], hashes, match["marker"] or "")
    return pins


def applying(pins: Mapping[str, Pin], interpreter: Interpreter) -> dict[str, Pin]:
    """Give the pins whose markers hold for that Python."""
    environment = interpreter.environment()
    return {name: pin for name, pin in pins.items() if not pin.marker or Marker(pin.marker).evaluate({**environment})}


@dataclass(frozen=True)
class Wheel:
    """One wheel of the lock file, as a file whose hash was checked."""

    path: Path
    pin: Pin
    sha256: str = field(repr=False)

    @cached_property
    def entries(self) -> tuple[zipfile.ZipInfo, ...]:
        """Its files, sorted by name."""
        with zipfile.ZipFile(self.path) as archive:
            return tuple(sorted((one for one in archive.infolist() if not one.is_dir()), key=lambda one: one.filename))

    @cached_property
    def modules(self) -> frozenset[str]:
        """The dotted names of its modules."""
        return frozenset(name for entry in self.entries for name in _module(installed_name(entry.filename)))

    @cached_property
    def metadata(self) -> Mapping[str, list[str]]:
        """The fields of METADATA that say what it is: each with all its values."""
        folder = next(name for entry in self.entries if (name := entry.filename).endswith(".dist-info/METADATA"))
        with zipfile.ZipFile(self.path) as archive:
            message = email.parser.BytesParser().parsebytes(archive.read(folder), headersonly=True)
        return {
            name: [str(value) for value in message.get_all(name, [])]
            for name in ("Requires-Dist", "License-Expression", "License", "Summary", "Classifier")
        }

    def requirements(self, interpreter: Interpreter) -> list[str]:
        """Give the canonical names of what it needs there, without extras."""
        environment = {**interpreter.environment(), "extra": ""}
        found = [Requirement(text) for text in self.metadata["Requires-Dist"]]
        return [
            canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate({**environment})
        ]

    def contents(self) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
        """Give its files with what is in them, sorted by name."""
        with zipfile.ZipFile(self.path) as archive:
            for entry in self.entries:
                yield entry, archive.read(entry)


def installed_name(name: str) -> str:
    """Give where a wheel's file goes below site-packages; empty for scripts, headers and data, which have no place."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, inner = rest.partition("/")
    return inner if kind in {"purelib", "platlib"} else ""


def _module(name: str) -> Iterator[str]:
    """Give the dotted name of a file that is a module: source, or an extension."""
    stem, dot, suffix = name.rpartition("/")[2].partition(".")
    if not dot or not (suffix == "py" or suffix.endswith("so")):
        return
    folder = name.rpartition("/")[0].replace("/", ".")
    if stem == "__init__":
        yield folder
    else:
        yield f"{folder}.{stem}" if folder else stem


def cache_folder() -> Path:
    """Give where wheels are kept between builds."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hal9" / "wheels"


def wheels(lock: Path, interpreter: Interpreter, folder: Path | None = None) -> dict[str, Wheel]:
    """Give every wheel of a lock file, by the distribution's name; downloads what the cache folder has not.

    Raises:
        WheelError: pip cannot get one.
    """
    folder = folder or cache_folder()
    pins = applying(read_lock(lock), interpreter)
    found = _cached(pins, folder, interpreter)
    missing = [pin for name, pin in pins.items() if name not in found]
    if missing:
        _download(missing, interpreter, folder)
        found = _cached(pins, folder, interpreter)
    if left := sorted(set(pins) - set(found)):
        raise WheelError(f"no wheel for {interpreter.platform}, Python 3.{interpreter.minor}: {', '.join(left)}")
    return found


def _cached(pins: Mapping[str, Pin], folder: Path, interpreter: Interpreter) -> dict[str, Wheel]:
    """Find the wheels that the folder has; a file whose hash the lock has not is passed over."""
    tags = interpreter.tags()
    found: dict[str, Wheel] = {}
    for path in sorted(folder.glob("*.whl")):
        name, version, _, its_tags = parse_wheel_filename(path.name)
        pin = pins.get(name)
        if pin is None or str(version) != pin.version or not its_tags & tags:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in pin.hashes:
            found[name] = Wheel(path, pin, digest)
    return found


def _download(pins: Iterable[Pin], interpreter: Interpreter, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{pin.name}=={pin.version} " + " ".join(f"--hash=sha256:{one}" for one in sorted(pin.hashes)) for pin in pins
    ]
    platforms = [part for tag in interpreter.platforms() for part in ("--platform", tag)]
    with tempfile.TemporaryDirectory(dir=folder, prefix="getting-") as getting:
        wanted = Path(getting) / "requirements.txt"
        wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "download",
            "--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp",
            "--python-version", f"3.{interpreter.minor}", *platforms, "--dest", getting, "--requirement", str(wanted),
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip()[-2000:]
            raise WheelError(f"pip cannot get the wheels of the lock file:\n{said}\nCheck the network, then try again.")
        for path in Path(getting).glob("*.whl"):
            path.replace(folder / path.name)


def needed(foreign: Iterable[str], wheels: Mapping[str, Wheel], interpreter: Interpreter) -> frozenset[str]:
    """Give the distributions that imports need, with what those require, whole.

    Args:
        foreign: dotted names of imported modules, the standard library's and unknown attributes among them.
        wheels: every wheel of the lock.
        interpreter: for which Python.

    Raises:
        WheelError: an import is neither the standard library's nor any wheel's.
    """
    owners = {module: name for name, wheel in wheels.items() for module in wheel.modules}
    waiting: list[str] = []
    unknown = set()
    for module in foreign:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names:
            continue
        owner = next((owners[part] for part in _prefixes(module) if part in owners), None)
        if owner is not None:
            waiting.append(owner)
        elif not any(known.startswith(f"{module}.") for known in owners):
            unknown.add(top)
    if unknown:
        raise WheelError(f"imported, but in no wheel of the lock file: {', '.join(sorted(unknown))}")
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in wheels and name not in found:
            found.add(name)
            waiting += wheels[name].requirements(interpreter)
    return frozenset(found)


def _prefixes(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]
