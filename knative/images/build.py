"""Make images: from a checkout, its lock file and a base, without running anything of them.

Layers, by how seldom they change: the base's; the standard library's bytecode where the base has none; what the host of
functions needs; what else is imported; toolchains; our own modules with the SBOM. The first ones are the same file for
every function, and are kept between builds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from knative.description import load_all
from knative.images import closure, parts, sbom, versions
from knative.images.base import USER, Base
from knative.images.bytecode import compiled
from knative.images.layers import Content, Layer, total, write_layer
from knative.images.layout import Image
from knative.images.pruning import kept
from knative.images.wheels import Interpreter, Wheel, WheelError, installed_name, needed, wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from knative.images.parts import Parts

_TOOLCHAIN_LOCK: Final = "requirements/generated-{}.lock"
_EXECUTABLE: Final = 0o111
_SCP: Final = re.compile(r"(?:[^@/:]+@)?(?P<host>[^@/:]+):(?P<path>[^/].*)")
"""A remote as git takes it beside addresses: user@host:path."""

_NO_BYTECODE: Final = re.compile(
    r"/(tests?|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data|site-packages|dist-packages)/"
)


def compiles(path: str) -> bool:
    """Tell whether a file of the base's library gets bytecode: nothing that serves imports the rest."""
    return path.endswith(".py") and _NO_BYTECODE.search(path) is None


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        checkout: the folder of the sources and of requirements/.
        names: of the images; empty for all.
        base: what they are made from.
        prefix: before `/NAME:VERSION`.
        version: their tag; empty for one that follows from the content. The servers' images have their own.
        revision: of the sources; empty when it is not known.
        source: where the sources are published; empty when nowhere.
        created: the time that the images bear.
        work: a folder for what is being made.
        wheels: the folder of wheels; None for the user's cache.
        layers: the folder of layers that are kept between builds; None to make each anew.
        tell: hears of each step, for people.
    """

    checkout: Path
    names: Sequence[str]
    base: Base
    prefix: str
    version: str
    revision: str
    source: str
    created: datetime
    work: Path
    wheels: Path | None = None
    layers: Path | None = None
    tell: Callable[[str], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class Made:
    """An image that was made.

    Attributes:
        image: the image.
        own: its layers over the base's.
        distributions: what it holds, by name, with the versions.
        modules: how many of our own modules it holds.
    """

    image: Image
    own: Sequence[Layer]
    distributions: Mapping[str, str]
    modules: int

    def summary(self) -> dict[str, Any]:
        """Give what is told of it."""
        packed, unpacked = total(self.own)
        return {
            "name": self.image.reference,
            "digest": self.image.digest,
            "bytes": packed,
            "unpacked_bytes": unpacked,
            "layers": [
                {"digest": one.digest, "bytes": one.size, "unpacked_bytes": one.unpacked, "holds": one.history}
                for one in self.own
            ],
            "distributions": dict(self.distributions),
            "modules": self.modules,
        }


def build(request: Request) -> list[Made]:
    """Make images.

    Raises:
        PartsError: an image is not known.
        BaseError: the base does not fit.
        WheelError: a wheel cannot be had.
        DescriptionError: a function.toml is wrong.
    """
    wanted = parts.chosen(load_all(request.checkout / "functions"), request.names)
    interpreter = request.base.interpreter()
    known = wheels(request.checkout / versions.LOCK, interpreter, request.wheels)
    if not request.version:
        request = replace(request, version=content_version(request.checkout, request.base))
    builder = _Builder(request, interpreter, known)
    return [builder.make(one) for one in wanted]


def content_version(checkout: Path, base: Base) -> str:
    """Give a tag that follows from what images are made of: sources, locks and base."""
    sha256 = hashlib.sha256()
    for package in closure.PACKAGES:
        for path in sorted((checkout / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                sha256.update(f"{path.relative_to(checkout)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    for path in sorted((checkout / "requirements").glob("*.lock")):
        sha256.update(path.read_bytes())
    sha256.update("".join(layer.diff_id for layer in base.layers).encode())
    return f"0.1.0-{sha256.hexdigest()[:12]}"


def revision_of(checkout: Path) -> tuple[str, int]:
    """Give the commit of a checkout and its time in seconds.

    Returns:
        the commit, with `-dirty` behind it when files differ from it; ("", 0) where git or the repository is not.
    """
    try:
        shown, changed = (
            subprocess.run(["git", "-C", str(checkout), *command], capture_output=True, text=True, check=True).stdout
            for command in (
                ("show", "-s", "--format=%H %ct", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return "", 0
    commit, _, seconds = shown.strip().partition(" ")
    return f"{commit}-dirty" if changed.strip() else commit, int(seconds)


def source_of(checkout: Path) -> str:
    """Give the address where the sources of a checkout are published, without credentials.

    Returns:
        what pyproject.toml names as the repository or the source; else the git remote `origin`, when that is an address
        and no folder of this machine; else nothing.
    """
    with contextlib.suppress(OSError):
        project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        named = {str(name).lower(): str(url) for name, url in project.get("urls", {}).items()}
        if found := next((named[name] for name in ("source", "repository", "source code") if name in named), ""):
            return found
    try:
        told = subprocess.run(
            ["git", "-C", str(checkout), "remote", "get-url", "origin"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    remote = told.stdout.strip()
    if short := _SCP.fullmatch(remote):
        remote = f"ssh://{short['host']}/{short['path']}"
    address = urlsplit(remote)
    if address.scheme not in {"https", "http", "ssh", "git"} or not address.hostname:
        return ""
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def created_at(seconds: int) -> datetime:
    """Give the time that images bear: SOURCE_DATE_EPOCH when it is set, else the given one."""
    return datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or seconds), UTC)


class _Builder:
    """Makes images of one request, each layer once."""

    def __init__(self, request: Request, interpreter: Interpreter, known: Mapping[str, Wheel]) -> None:
        self._request = request
        self._interpreter = interpreter
        self._known = known
        self._made: dict[str, Layer] = {}
        self._own_versions = versions.versions(request.checkout)
        host = closure.reached(request.checkout, [parts.HOST])
        self._host = needed(host.foreign, known, interpreter)

    def make(self, one: Parts) -> Made:
        """Make one image."""
        self._request.tell(one.name)
        found = closure.reached(self._request.checkout, one.roots)
        imported = needed(found.foreign, self._known, self._interpreter)
        if one.serves and imported:
            raise WheelError(f"{one.name} imports {', '.join(sorted(imported))}, which its version does not count")
        names = imported | frozenset(one.distributions)
        held = [self._known[name] for name in sorted(names)]
        tools = [wheel for language in one.toolchains for wheel in self._toolchain(language)]
        subject = sbom.Subject(
            one.name, self._version(one), one.description, self._request.revision, self._request.created
        )
        bill = sbom.bill(subject, _distinct([*held, *tools]), self._request.base, self._interpreter)
        own = [*self._dependencies(names), *map(self._toolchain_layer, one.toolchains), self._code(one, found, bill)]
        return Made(
            self._image(one, own, bill), own, {wheel.pin.name: wheel.pin.version for wheel in held}, len(found.files)
        )

    def _version(self, one: Parts) -> str:
        return self._own_versions.get(one.name) or self._request.version

    def _dependencies(self, names: frozenset[str]) -> list[Layer]:
        """Give the layers of distributions: the host's, which all functions share, and the others."""
        layers = [] if self._request.base.has_bytecode else [self._standard_library()]
        shared = self._host if self._host <= names else frozenset[str]()
        for group, history in ((shared, "packages of the host"), (names - shared, "packages")):
            if group:
                told = f"{history}: {', '.join(sorted(group))}"
                chosen = [self._known[name] for name in sorted(group)]
                layers.append(self._kept(told, chosen, partial(_installed, chosen, parts.PACKAGES)))
        return layers

    def _standard_library(self) -> Layer:
        base = self._request.base

        def files() -> dict[str, Content]:
            sources = base.files.read_all(name for name in base.files.below(base.library) if compiles(name))
            return {name: Content(data) for name, data in compiled(sources).items()}

        return self._kept("bytecode of the standard library", [layer.diff_id for layer in base.layers], files)

    def _toolchain(self, language: str) -> list[Wheel]:
        lock = self._request.checkout / _TOOLCHAIN_LOCK.format(language)
        return list(wheels(lock, self._interpreter, self._request.wheels).values())

    def _toolchain_layer(self, language: str) -> Layer:
        """Give a virtual environment over the base's interpreter, with everything of the language's lock file."""
        python = self._request.base.python
        home = f"{parts.TOOLCHAINS}/{language}"
        chosen = self._toolchain(language)

        def files() -> dict[str, Content]:
            found = _installed(chosen, f"{home}/lib/python3.{self._interpreter.minor}/site-packages", whole=True)
            found |= {
                f"{home}/bin/{name}": Content(data, 0o755)
                for wheel in chosen
                for name, data in _programs(wheel).items()
            }
            found[f"{home}/bin/python"] = Content(python.encode(), kind="link")
            found[f"{home}/bin/python3"] = Content(b"python", kind="link")
            settings = f"home = {python.rpartition('/')[0]}\ninclude-system-site-packages = false\n"
            found[f"{home}/pyvenv.cfg"] = Content(settings.encode())
            return found

        return self._kept(f"toolchain for {language} projects", [python, *chosen], files)

    def _kept(self, history: str, source: Iterable[object], files: Callable[[], Mapping[str, Content]]) -> Layer:
        """Give a layer that follows from its sources: of an earlier build, when it is kept, else made now."""
        key = _key([history, *source])
        if key in self._made:
            return self._made[key]
        folder = self._request.layers or self._request.work
        folder.mkdir(parents=True, exist_ok=True)
        path, about = folder / f"{key}.tar.gz", folder / f"{key}.json"
        if self._request.layers is not None and path.exists() and about.exists():
            layer = Layer(path=path, **json.loads(about.read_bytes()))
        else:
            partial = path.with_name(f"{key}.{os.getpid()}.partial")
            layer = replace(write_layer(files(), partial, history), path=path)
            partial.replace(path)
            told = {name: getattr(layer, name) for name in Layer.__slots__ if name != "path"}
            about.write_text(json.dumps(told), encoding="utf-8")
        self._made[key] = layer
        return layer

    def _code(self, one: Parts, found: closure.Closure, bill: bytes) -> Layer:
        """Give the layer of our own modules, with the SBOM and the little that the base lacks."""
        checkout, base = self._request.checkout, self._request.base
        data = closure.data_files(checkout, found.files, parts.DATA) | {checkout / name for name in one.files}
        sources = {f"{parts.CODE}/{path.relative_to(checkout)}": path.read_bytes() for path in found.files}
        files = {name: Content(content) for name, content in {**sources, **compiled(sources)}.items()}
        files |= {f"{parts.CODE}/{path.relative_to(checkout)}": Content(path.read_bytes()) for path in data}
        files[f"{parts.CODE}/LICENSE"] = Content((checkout / "LICENSE").read_bytes())
        files |= {base.files.placed(name): Content(content) for name, content in base.accounts().items()}
        files[base.files.placed(f"{parts.SBOM}/hal9-{one.name}.cdx.json")] = Content(bill)
        files |= {name: Content(to.encode(), kind="link") for name, to in base.merged_libraries().items()}
        files |= {path: Content(mode=0o1777, kind="folder") for path in one.volumes}
        files |= {name: Content(to.encode(), kind="link") for name, to in one.links.items()}
        files["/tmp"] = Content(mode=0o1777, kind="folder")  # noqa: S108 - where the image's /tmp is made
        if one.needs_shell and base.files.program("/bin/sh") is None:
            script = f"#!{base.python} -ISB\n".encode() + (checkout / parts.SHELL).read_bytes()
            files[base.files.placed("/bin/sh")] = Content(script, 0o755)
        return write_layer(files, self._request.work / f"code-{one.name}.tar.gz", f"hal9 {one.name}")

    def _image(self, one: Parts, own: Sequence[Layer], bill: bytes) -> Image:
        request, base = self._request, self._request.base
        annotations = self._annotations(one)
        environment = base.environment | {
            "PYTHONPATH": f"{parts.CODE}:{parts.PACKAGES}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "PYTHONUNBUFFERED": "1",
            "HOME": "/tmp",  # noqa: S108 - the only folder that may be written
            **one.environment,
        }
        created = request.created.strftime("%Y-%m-%dT%H:%M:%SZ")
        config = {
            "created": created,
            "architecture": base.config["architecture"],
            "os": base.config["os"],
            **{name: base.config[name] for name in ("variant", "os.version") if name in base.config},
            "config": {
                "User": f"{USER}:{USER}",
                "Env": [f"{name}={value}" for name, value in environment.items()],
                "Entrypoint": [base.python, "-m", one.module, *one.arguments],
                "WorkingDir": "/",
                "StopSignal": "SIGTERM",
                "Labels": annotations,
                **({"ExposedPorts": {f"{port}/tcp": {} for port in one.ports}} if one.ports else {}),
                **({"Volumes": {path: {} for path in one.volumes}} if one.volumes else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in (*base.layers, *own)]},
            "history": [
                *_history_of(base),
                *({"created": created, "created_by": f"hal9 images build: {layer.history}"} for layer in own),
            ],
        }
        reference = f"{request.prefix}/{one.name}:{self._version(one)}"
        return Image(reference, config, [*base.layers, *own], annotations, bill)

    def _annotations(self, one: Parts) -> dict[str, str]:
        request, known = self._request, "org.opencontainers.image"
        found = {
            f"{known}.title": f"hal9-{one.name}",
            f"{known}.description": one.description,
            f"{known}.version": self._version(one),
            f"{known}.created": request.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"{known}.revision": request.revision,
            f"{known}.source": request.source,
            f"{known}.licenses": "Apache-2.0",
            f"{known}.base.name": request.base.name,
            f"{known}.base.digest": request.base.digest,
            "ai.hal9.function": one.name if one.is_function else "",
        }
        return {name: value for name, value in found.items() if value}


def _history_of(base: Base) -> list[dict[str, Any]]:
    """Give the base's history, which must have one entry for each layer that is not empty."""
    history = list(base.config.get("history") or [])
    full = [entry for entry in history if not entry.get("empty_layer")]
    return history if len(full) == len(base.layers) else [{"created_by": base.name} for _ in base.layers]


def _distinct(held: Iterable[Wheel]) -> list[Wheel]:
    return list({wheel.sha256: wheel for wheel in held}.values())


def _key(source: Iterable[object]) -> str:
    """Give what a layer follows from, as a name: its sources, this Python and zlib, and how layers are made."""
    sha256 = hashlib.sha256(f"{sys.version}\0{zlib.ZLIB_RUNTIME_VERSION}\0".encode())
    for name in ("build.py", "bytecode.py", "layers.py", "pruning.py", "parts.py"):
        sha256.update(Path(__file__).with_name(name).read_bytes())
    for one in source:
        sha256.update(f"{one.sha256 if isinstance(one, Wheel) else one}\0".encode())
    return sha256.hexdigest()[:32]


def _installed(chosen: Iterable[Wheel], folder: str, *, whole: bool = False) -> dict[str, Content]:
    """Give the files of wheels below a folder, with bytecode.

    Args:
        chosen: the wheels.
        folder: where they go, absolute.
        whole: keep stubs and sources too, which type checkers read.
    """
    files: dict[str, Content] = {}
    for wheel in chosen:
        sources: dict[str, bytes] = {}
        for entry, data in wheel.contents():
            name = installed_name(entry.filename)
            if not name or not (whole or kept(wheel.pin.name, name)):
                continue
            mode = 0o755 if entry.external_attr >> 16 & _EXECUTABLE else 0o644
            files[f"{folder}/{name}"] = Content(data, mode)
            if name.endswith(".py"):
                sources[f"{folder}/{name}"] = data
        files |= {name: Content(data) for name, data in compiled(sources).items()}
    return files


def _programs(wheel: Wheel) -> dict[str, bytes]:
    """Give the programs that a wheel carries ready made (`*.data/scripts`), by name."""
    return {
        entry.filename.rpartition("/")[2]: data
        for entry, data in wheel.contents()
        if ".data/scripts/" in entry.filename and not data.startswith(b"#!python")
    }
