"""The software bill of materials of an image: CycloneDX 1.6, as JSON.

Promises: every distribution that the image holds, with its package URL, the sha256 of its wheel as the lock file has
it, and its licence as its metadata says; the same bytes for the same image (the serial number follows from the
content); of a server's wheel the server itself with its version and licence, and every program and library with its
sha256. Does not: list the base image's own packages; the base is named as what the image was made from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from knative.images import bundled
from knative.images.wheels import installed_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from knative.images.base import Base
    from knative.images.wheels import Interpreter, Wheel

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
_CLASSIFIED: Final = "License :: OSI Approved :: "
_SHORT: Final = 64
"""Longer ones are the licence's whole text, which some put into the field."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The image that a bill is for."""

    name: str
    version: str
    description: str
    revision: str
    created: datetime


def bill(subject: Subject, wheels: Iterable[Wheel], base: Base, interpreter: Interpreter) -> bytes:
    """Write the bill of an image.

    Args:
        subject: the image.
        wheels: what it holds.
        base: what it was made from.
        interpreter: for which the wheels are, whose requirements then hold.
    """
    held = sorted(wheels, key=lambda wheel: wheel.pin.name)
    names = {wheel.pin.name: _purl(wheel) for wheel in held}
    root = f"hal9-{subject.name}"
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": subject.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": root,
                "name": root,
                "version": subject.version,
                "description": subject.description,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                **({"properties": [_property("revision", subject.revision)]} if subject.revision else {}),
            },
            "properties": [_property("base.name", base.name), *_digest(base)],
        },
        "components": [_component(wheel) for wheel in held],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(names.values())},
            *(
                {"ref": names[name], "dependsOn": sorted(names[one] for one in required if one in names)}
                for name, required in _requirements(held, interpreter).items()
            ),
        ],
    }
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE_URL, content)}"
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


def _requirements(held: Iterable[Wheel], interpreter: Interpreter) -> Mapping[str, set[str]]:
    return {wheel.pin.name: set(wheel.requirements(interpreter)) for wheel in held}


def _digest(base: Base) -> list[dict[str, str]]:
    return [_property("base.digest", base.digest)] if base.digest else []


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"hal9:{name}", "value": value}


def _purl(wheel: Wheel) -> str:
    return f"pkg:pypi/{wheel.pin.name}@{wheel.pin.version}"


def _component(wheel: Wheel) -> dict[str, Any]:
    summary, licences = wheel.metadata["Summary"], _licences(wheel)
    return {
        "type": "library",
        "bom-ref": _purl(wheel),
        "name": wheel.pin.name,
        "version": wheel.pin.version,
        "purl": f"{_purl(wheel)}?file_name={wheel.path.name}",
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        **({"description": summary[0]} if summary else {}),
        **({"licenses": licences} if licences else {}),
        **({"evidence": {"occurrences": files}} if (files := _licence_files(wheel)) else {}),
        **({"components": carried} if (carried := bundled.components(wheel)) else {}),
    }


def _licences(wheel: Wheel) -> list[dict[str, Any]]:
    """Give the licence: an SPDX expression (PEP 639), else what older metadata says in words."""
    expression, text = wheel.metadata["License-Expression"], wheel.metadata["License"]
    if expression:
        return [{"expression": expression[0]}]
    classified = [one.removeprefix(_CLASSIFIED) for one in wheel.metadata["Classifier"] if one.startswith(_CLASSIFIED)]
    short = [one for one in text if len(one) <= _SHORT and "\n" not in one]
    return [{"license": {"name": one}} for one in dict.fromkeys(classified or short)]


def _licence_files(wheel: Wheel) -> list[dict[str, str]]:
    """Give where the image has the licence's text."""
    names = (installed_name(entry.filename) for entry in wheel.entries)
    return [{"location": name} for name in names if ".dist-info/" in name and _is_licence(name)]


def _is_licence(name: str) -> bool:
    return (
        name.rpartition("/")[2].upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "THIRD_PARTY_NOTICES"))
    )
