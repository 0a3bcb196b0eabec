"""Make the images that the benchmarks of a cluster run: HAL9's own, the tests' processes in the neuron's, and `lean`.

    python -m tests.performance.cluster.images --base python.tar --images dev.local/hal9 --version bench --out bench.tar

Writes a docker-archive tar for whatever imports images into a node.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knative.images import layout, parts, sources
from knative.images.build import Request, build, created_at, revision_of
from knative.images.bytecode import compiled
from knative.images.layers import Content, write_layer
from knative.images.wheels import cache_folder
from tests.cluster.images import PROCESSES, SETTING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knative.images.layout import Image

ROOT: Final = Path(__file__).resolve().parents[3]
LEAN: Final = f"{parts.CODE}/lean"


def _added(image: Image, files: Mapping[str, bytes], work: Path, name: str) -> Image:
    """Give an image with one layer more: files by their path, Python's compiled as well."""
    python = {path: data for path, data in files.items() if path.endswith(".py")}
    contents = {path: Content(data) for path, data in {**files, **compiled(python)}.items()}
    layer = write_layer(contents, work / f"{name}.tar.gz", f"benchmarks: {name}")
    config: dict[str, Any] = dict(image.config)
    config["rootfs"] = {**config["rootfs"], "diff_ids": [*config["rootfs"]["diff_ids"], layer.diff_id]}
    config["history"] = [*config["history"], {"created": config["created"], "created_by": layer.history}]
    return replace(image, config=config, layers=[*image.layers, layer])


def neuron(image: Image, work: Path) -> Image:
    """Give the neuron's image with the tests' processes."""
    files = {f"{parts.CODE}/{name}": (ROOT / name).read_bytes() for name in PROCESSES}
    added = _added(image, files, work, "processes")
    config = {**added.config["config"], "Env": [*added.config["config"]["Env"], SETTING]}
    return replace(added, config={**added.config, "config": config})


def lean(upkeep: Image, prefix: str, version: str, work: Path) -> Image:
    """Give the image of the lean function: upkeep's with that folder, which alone is imported."""
    folder = Path(__file__).with_name("lean")
    files = {f"{LEAN}/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    added = _added(upkeep, files, work, "lean")
    entry = [LEAN if one.endswith("/functions/upkeep") else one for one in added.config["config"]["Entrypoint"]]
    config = {**added.config, "config": {**added.config["config"], "Entrypoint": entry}}
    return replace(added, reference=f"{prefix}/lean:{version}", config=config)


def make(base: str, prefix: str, version: str, out: Path) -> None:
    """Write the tar."""
    revision, seconds = revision_of(ROOT)
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as folder:
        work = Path(folder)
        request = Request(
            checkout=ROOT,
            names=(),
            base=sources.open_base(base, "linux/amd64", work),
            prefix=prefix,
            version=version,
            revision=revision,
            source="",
            created=created_at(seconds),
            work=work,
            layers=cache_folder().with_name("layers"),
            tell=lambda name: print(f"making {name} …", file=sys.stderr),  # noqa: T201 - a program
        )
        made = {one.image.reference.rpartition("/")[2].partition(":")[0]: one.image for one in build(request)}
        made["lean"] = lean(made["upkeep"], prefix, version, work)
        made["neuron"] = neuron(made["neuron"], work)
        layout.write_tar(list(made.values()), out, "docker-tar")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="as for `hal9 images build`")
    parser.add_argument("--images", default="dev.local/hal9", help="what comes before /<image>:<version>")
    parser.add_argument("--version", required=True, help="the images' tag")
    parser.add_argument("--out", required=True, type=Path, help="the tar")
    given = parser.parse_args()
    make(given.base, given.images, given.version, given.out)


if __name__ == "__main__":
    main()
