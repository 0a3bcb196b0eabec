"""Make the probes' images, without a container engine: `python probe/build.py BASE.tar OUT.tar [PREFIX]`.

BASE is a docker-archive of one layer with Python of this interpreter's version at /usr/local/bin/python3; OUT gets one
image for each function, `PREFIX/<function>:probe`, to be loaded or pushed into the cluster's registry.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[4]
PREFIX: Final = "dev.local/hal9-probe"
_SOURCES: Final = ("shared", "events", "knative")
_VARIABLES: Final = ("PYTHONPATH=/app/lib:/app", "LD_LIBRARY_PATH=/app/lib", "HAL9_HOST_ADDRESS=0.0.0.0")
_PROBED: Final = (
    "knative.host.process", "events.subscriber", "events.broker", "events.catalogue", "shared.keys.published",
    "shared.tokens.accounts", "uvloop", "cryptography.hazmat.primitives.asymmetric.rsa", "idna",
)  # fmt: skip


def packages() -> list[Path]:
    """Name what a probe imports of the virtual environment."""
    sys.path.insert(0, str(ROOT))
    for name in _PROBED:
        importlib.import_module(name)
    found = set()
    for module in list(sys.modules.values()):
        before, installed, rest = (getattr(module, "__file__", None) or "").partition("/site-packages/")
        if installed:
            found.add(Path(before + installed) / rest.split("/")[0])
    return sorted(path for path in found if not path.name.startswith("_"))  # what starts with _ is the installer's


def layer() -> bytes:
    """Give the layer: those packages, our sources, and one probe for each function."""
    functions = sorted(path.parent for path in (ROOT / "functions").glob("*/function.toml"))
    files = {f"app/lib/{path.name}": path for path in [*packages(), *_binaries(), *_stubs()]}
    files |= {f"app/{name}": ROOT / name for name in _SOURCES}
    for function in functions:
        files[f"app/probes/{function.name}/function.toml"] = function / "function.toml"
        files[f"app/probes/{function.name}/main.py"] = Path(__file__).with_name("main.py")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, path in sorted(files.items()):
            archive.add(path, name, filter=_plain)
    return stream.getvalue()


def _binaries() -> list[Path]:
    backend = importlib.import_module("_cffi_backend")

    return [Path(str(backend.__file__))]


def _stubs() -> list[Path]:
    """Name glibc's empty libraries, which wheels ask for and a small base leaves out."""
    names = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")
    folders = [
        path for path in map(Path, ("/lib/x86_64-linux-gnu", "/lib64", "/lib/aarch64-linux-gnu")) if path.is_dir()
    ]
    return [next(folder / name for folder in folders if (folder / name).exists()).resolve() for name in names]


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if entry.name.endswith(".key") or "/.hal9" in entry.name:
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def build(base: Path, out: Path, prefix: str) -> None:
    """Write the images."""
    added = layer()
    with tarfile.open(base) as source, tarfile.open(out, "w") as archive:
        (described,) = json.load(_file(source, "manifest.json"))
        config = json.load(_file(source, described["Config"]))
        (below,) = described["Layers"]
        _add(archive, "base.tar", _file(source, below).read())
        _add(archive, "probe.tar", added)
        images = []
        for function in sorted(path.parent.name for path in (ROOT / "functions").glob("*/function.toml")):
            own = _config(config, function, added)
            digest = hashlib.sha256(own).hexdigest()
            _add(archive, f"{digest}.json", own)
            images.append(
                {
                    "Config": f"{digest}.json",
                    "RepoTags": [f"{prefix}/{function}:probe"],
                    "Layers": ["base.tar", "probe.tar"],
                }
            )
        _add(archive, "manifest.json", json.dumps(images).encode())


def _config(base: dict[str, object], function: str, added: bytes) -> bytes:
    config = json.loads(json.dumps(base))
    config["config"] |= {
        "Entrypoint": [
            "/usr/local/bin/python3", "-m", "knative.host", f"/app/probes/{function}", "--port", "8080",
        ],
        "Env": [*config["config"]["Env"], *_VARIABLES],
        "WorkingDir": "/app",
    }  # fmt: skip
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(added).hexdigest()}")
    return json.dumps(config).encode()


def _file(archive: tarfile.TarFile, name: str) -> io.BufferedIOBase:
    found = archive.extractfile(name)
    assert found is not None
    return found  # type: ignore[return-value]


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else PREFIX)
