"""Make the images that the benchmarks of a cluster run: HAL9's own, the tests' processes in the neuron's, and `lean`.

    python -m tests.performance.cluster.images --base python.tar --images dev.local/hal9 --version bench --out bench.tar

Writes a docker-archive tar for whatever imports images into a node.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.images import layout, parts, sources
from knative.images.build import build
from tests.cluster.images import PLATFORM, request_of, with_files, with_tests_processes

if TYPE_CHECKING:
    from knative.images.layout import Image

LEAN: Final = f"{parts.CODE}/lean"


def lean(upkeep: Image, prefix: str, version: str, work: Path) -> Image:
    """Give the image of the lean function: upkeep's with that folder, which alone is imported."""
    folder = Path(__file__).with_name("lean")
    files = {f"{LEAN}/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    added = with_files(upkeep, files, work, "lean")
    entry = [LEAN if one.endswith("/functions/upkeep") else one for one in added.config["config"]["Entrypoint"]]
    config = {**added.config, "config": {**added.config["config"], "Entrypoint": entry}}
    return replace(added, reference=f"{prefix}/lean:{version}", config=config)


def make(base: str, prefix: str, version: str, out: Path) -> None:
    """Write the tar."""
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as folder:
        work = Path(folder)
        request = request_of(sources.open_base(base, PLATFORM, work), prefix, version, work)
        made = {one.image.reference.rpartition("/")[2].partition(":")[0]: one.image for one in build(request)}
        made["lean"] = lean(made["upkeep"], prefix, version, work)
        made["neuron"] = with_tests_processes(made["neuron"], work)
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
