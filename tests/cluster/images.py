"""Make the images that the tests of a cluster run: HAL9's own, and in the neuron's the tests' processes beside its own.

    python -m tests.cluster.images --base python.tar --images dev.local/hal9 --out build/cluster --format docker-tar

The version follows from the content, and is the only thing on standard output: what was made before is not made again.
`oci-layout` is for `hal9 images push`; a tar is for whatever imports images into a node.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knative.images import layout, parts, sources
from knative.images.build import Request, build, content_version, created_at, revision_of
from knative.images.bytecode import compiled
from knative.images.layers import Content, write_layer
from knative.images.wheels import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knative.images.base import Base
    from knative.images.layout import Image

ROOT: Final = Path(__file__).resolve().parents[2]
PROCESSES: Final = ("tests/processes/patience.py", "tests/processes/tally.py")
SETTING: Final = "HAL9_NEURON_PROCESSES=tests.processes.patience:PATIENCE,tests.processes.tally:TALLY"
PLATFORM: Final = "linux/amd64"


def version_of(base: Base) -> str:
    """Give the tag: it follows from all that goes into the images, and from how the tests' own is made."""
    product = content_version(ROOT, base)
    added = b"".join((ROOT / name).read_bytes() for name in PROCESSES) + Path(__file__).read_bytes()
    return f"{product}-{hashlib.sha256(added).hexdigest()[:8]}"


def with_files(image: Image, files: Mapping[str, bytes], work: Path, name: str) -> Image:
    """Give an image with one layer more: files by their path, Python's compiled as well."""
    python = {path: data for path, data in files.items() if path.endswith(".py")}
    contents = {path: Content(data) for path, data in {**files, **compiled(python)}.items()}
    layer = write_layer(contents, work / f"{name}.tar.gz", f"tests: {name}")
    config: dict[str, Any] = dict(image.config)
    config["rootfs"] = {**config["rootfs"], "diff_ids": [*config["rootfs"]["diff_ids"], layer.diff_id]}
    config["history"] = [*config["history"], {"created": config["created"], "created_by": layer.history}]
    return replace(image, config=config, layers=[*image.layers, layer])


def with_tests_processes(neuron: Image, work: Path) -> Image:
    """Give the neuron's image with the tests' processes, and the setting that names them."""
    files = {f"{parts.CODE}/{name}": (ROOT / name).read_bytes() for name in PROCESSES}
    added = with_files(neuron, files, work, "processes")
    settings = {**added.config["config"], "Env": [*added.config["config"]["Env"], SETTING]}
    return replace(added, config={**added.config, "config": settings})


def request_of(base: Base, prefix: str, version: str, work: Path) -> Request:
    """Ask for every image of this checkout, of the revision that it is at."""
    revision, seconds = revision_of(ROOT)
    return Request(
        checkout=ROOT,
        names=(),
        base=base,
        prefix=prefix,
        version=version,
        revision=revision,
        source="",
        created=created_at(seconds),
        work=work,
        layers=cache_folder().with_name("layers"),
        tell=lambda name: print(f"making {name} …", file=sys.stderr),  # noqa: T201 - a program
    )


def make(base: str, prefix: str, out: Path, kind: layout.Format) -> str:
    """Make every image, unless they are there; give their version."""
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as folder:
        work = Path(folder)
        opened = sources.open_base(base, PLATFORM, work)
        version = version_of(opened)
        path = out / ("layout" if kind == "oci-layout" else "images.tar")
        made_before = out / "version"
        wanted = f"{kind} {prefix} {version}"
        if path.exists() and made_before.exists() and made_before.read_text() == wanted:
            return version
        images = [one.image for one in build(request_of(opened, prefix, version, work))]
        images = [with_tests_processes(one, work) if "/neuron:" in one.reference else one for one in images]
        if kind == "oci-layout":
            layout.write_layout(images, path)
        else:
            layout.write_tar(images, path, kind)
        made_before.write_text(wanted)
    return version


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="as for `hal9 images build`")
    parser.add_argument("--images", required=True, help="what comes before /<image>:<version>")
    parser.add_argument("--out", required=True, type=Path, help="folder for what is made")
    parser.add_argument("--format", default="docker-tar", choices=["oci-layout", "oci-tar", "docker-tar"])
    given = parser.parse_args()
    print(make(given.base, given.images, given.out, given.format))  # noqa: T201 - a program


if __name__ == "__main__":
    main()
