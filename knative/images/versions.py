"""The tags of images that have a version of their own: those of servers, which a release of HAL9 must not restart.

    versions(checkout)      {"postgres": "18.6.3-1f0c9a7be2d4", "valkey": "9.1.2.post2-90bb2d1c63aa"}

Promises: a tag changes when what the image runs changes (the server's wheel, our modules and files beside it, how it is
started, what is left out of wheels), and at nothing else; it is known without a base, a wheel or a network, so that who
renders gives the same tag as who builds. Does not: count the base, or what is only said of an image (labels, SBOM).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.images import closure, parts, pruning
from knative.images.wheels import read_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knative.images.parts import Parts
    from knative.images.wheels import Pin

LOCK: Final = "requirements/run.lock"
_DIGITS: Final = 12


def versions(checkout: Path) -> dict[str, str]:
    """Give the tags of all images that have a version of their own, by the images' names.

    Args:
        checkout: the folder of the sources and of requirements/.

    Raises:
        WheelError: the lock file cannot be read.
    """
    pins = read_lock(checkout / LOCK)
    return {one.name: _version(checkout, one, pins) for one in parts.BESIDE if one.serves}


def _version(checkout: Path, one: Parts, pins: Mapping[str, Pin]) -> str:
    found = closure.reached(checkout, one.roots)
    files = {*found.files, *(checkout / name for name in (*one.files, *one.scripts))}
    sha256 = hashlib.sha256(repr(one.runs).encode() + Path(pruning.__file__).read_bytes())
    for path in sorted(files | closure.data_files(checkout, found.files, parts.DATA)):
        sha256.update(f"{path.relative_to(checkout)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    for name in one.distributions:
        sha256.update(f"{name}=={pins[name].version} {sorted(pins[name].hashes)}\0".encode())
    return f"{pins[one.serves].version}-{sha256.hexdigest()[:_DIGITS]}"
