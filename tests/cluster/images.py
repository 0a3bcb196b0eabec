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
from knative.images.layers import Content, write_layer
from knative.images.wheels import cache_folder

if TYPE_CHECKING:
    from knative.images.base import Base
    from knative.images.layout import Image

ROOT: Final = Path(__file__).resolve().parents[2]
PROCESSES: Final = ("tests/processes/patience.py", "tests/processes/tally.py")
SETTING: Final = "HAL9_NEURON_PROCESSES=tests.processes.patience:PATIENCE,tests.processes.tally:TALLY"
_PLATFORM: Final = "linux/amd64"


def version_of(base: Base) -> str:
    """Give the tag: it follows from all that goes into the images, and from how the tests' own is made."""
    product = content_version(ROOT, base)
    added = b"".join((ROOT / name).read_bytes() for name in PROCESSES) + Path(__file__).read_bytes()
    return f"{product}-{hashlib.sha256(added).hexdigest()[:8]}"


def with_tests_processes(image: Image, work: Path) -> Image:
    """Give the neuron's image with one layer more, and the setting that names what is in it."""
    contents = {f"{parts.CODE}/{name}": Content((ROOT / name).read_bytes()) for name in PROCESSES}
    layer = write_layer(contents, work / "processes.tar.gz", "the tests' processes")
    config: dict[str, Any] = dict(image.config)
    config["config"] = {**config["config"], "Env": [*config["config"]["Env"], SETTING]}
    config["rootfs"] = {**config["rootfs"], "diff_ids": [*config["rootfs"]["diff_ids"], layer.diff_id]}
    config["history"] = [*config["history"], {"created": config["created"], "created_by": layer.history}]
    return replace(image, config=config, layers=[*image.layers, layer])


def make(base: str, prefix: str, out: Path, kind: layout.Format) -> str:
    """Make every image, unless they are there; give their version."""
    revision, seconds = revision_of(ROOT)
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as folder:
        work = Path(folder)
        opened = sources.open_base(base, _PLATFORM, work)
        version = version_of(opened)
        path = out / ("layout" if kind == "oci-layout" else "images.tar")
        made_before = out / "version"
        wanted = f"{kind} {prefix} {version}"
        if path.exists() and made_before.exists() and made_before.read_text() == wanted:
            return version
        request = Request(
            checkout=ROOT,
            names=(),
            base=opened,
            prefix=prefix,
            version=version,
            revision=revision,
            source="",
            created=created_at(seconds),
            work=work,
            layers=cache_folder().with_name("layers"),
            tell=lambda name: print(f"making {name} …", file=sys.stderr),  # noqa: T201 - a program
        )
        images = [one.image for one in build(request)]
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
