"""Images as an OCI image layout in a folder, or as one tar of several images.

References: OCI image specification 1.1, image-layout.md and annotations.md; `manifest.json` of docker-archive is what
`docker load` reads. Promises: images of one layout share their blobs; an image of the same name is replaced, others
stay, and blobs that no image names any more go; a tar of the same images is the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from knative.images.layers import Layer, digest_of
from knative.images.sources import checked_blob, copy_blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Format = Literal["oci-layout", "oci-tar", "docker-tar"]

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
_VERSION: Final = b'{"imageLayoutVersion":"1.0.0"}'
_CONTAINERD_NAME: Final = "io.containerd.image.name"
_TAG_NAME: Final = "org.opencontainers.image.ref.name"


class LayoutError(RuntimeError):
    """A folder is no layout that we can use; the text says what to do."""


@dataclass(frozen=True)
class Image:
    """An image before it is written.

    Attributes:
        reference: its whole name, `PREFIX/NAME:VERSION`.
        config: the OCI image configuration.
        layers: the lowest first.
        annotations: of its manifest.
        bill: its SBOM.
    """

    reference: str
    config: Mapping[str, Any]
    layers: Sequence[Layer]
    annotations: Mapping[str, str]
    bill: bytes

    @property
    def config_blob(self) -> bytes:
        """The configuration, as it is written."""
        return encoded(self.config)

    @property
    def manifest_blob(self) -> bytes:
        """The manifest, as it is written."""
        return encoded(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described(self.config_blob, CONFIG),
                "layers": [
                    {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in self.layers
                ],
                "annotations": dict(self.annotations),
            }
        )

    @property
    def digest(self) -> str:
        """The manifest's digest, by which the image is known."""
        return digest(self.manifest_blob)


def encoded(document: Mapping[str, Any]) -> bytes:
    """Write JSON that is the same for the same document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def digest(blob: bytes) -> str:
    """Give a blob's digest, `sha256:…`."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def described(blob: bytes, media_type: str) -> dict[str, Any]:
    """Give the descriptor of a blob."""
    return {"mediaType": media_type, "digest": digest(blob), "size": len(blob)}


def read_index(folder: Path) -> list[dict[str, Any]]:
    """Give the descriptors of a layout's images, each with its name in `org.opencontainers.image.ref.name`.

    Raises:
        LayoutError: It is no layout.
    """
    try:
        found: list[dict[str, Any]] = json.loads((folder / "index.json").read_bytes())["manifests"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LayoutError(f"{folder} is no OCI image layout: {error}. Make one with `hal9 images build`.") from None
    return found


def name_of(descriptor: Mapping[str, Any]) -> str:
    """Give the whole name of an image of a layout; empty when it has none."""
    annotations = descriptor.get("annotations") or {}
    return str(annotations.get(_CONTAINERD_NAME) or annotations.get(_TAG_NAME) or "")


def read_manifest(folder: Path, descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """Give the manifest of an image of a layout.

    Raises:
        LayoutError: It is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(checked_blob(folder, descriptor["digest"]).read_bytes())
    except (OSError, ValueError) as error:
        raise LayoutError(f"{folder} is damaged: {error}") from None
    return found


def write_layout(images: Iterable[Image], folder: Path) -> None:
    """Put images into a layout, which is made when it is not there.

    Raises:
        LayoutError: the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "oci-layout").exists():
        raise LayoutError(f"{folder} is not empty, and no OCI image layout: name another folder")
    (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_bytes(_VERSION)
    kept = read_index(folder) if (folder / "index.json").exists() else []
    by_name = {name_of(one): one for one in kept}
    for image in images:
        for layer in image.layers:
            copy_blob(layer.path, folder, layer.digest)
        for blob in (image.config_blob, image.manifest_blob):
            _write_blob(folder, blob)
        by_name[image.reference] = _descriptor(image)
    _write_index(folder, by_name)
    _drop_unnamed(folder, by_name.values())


def _descriptor(image: Image) -> dict[str, Any]:
    tag = image.reference.rpartition(":")[2]
    return {
        **described(image.manifest_blob, MANIFEST),
        "platform": {"architecture": image.config["architecture"], "os": image.config["os"]},
        "annotations": {_CONTAINERD_NAME: image.reference, _TAG_NAME: tag},
    }


def _write_index(folder: Path, by_name: Mapping[str, Mapping[str, Any]]) -> None:
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [by_name[name] for name in sorted(by_name)]}
    partial = folder / "index.json.partial"
    partial.write_bytes(encoded(index))
    partial.replace(folder / "index.json")


def _write_blob(folder: Path, blob: bytes) -> None:
    (folder / "blobs" / "sha256" / digest(blob).removeprefix("sha256:")).write_bytes(blob)


def _drop_unnamed(folder: Path, descriptors: Iterable[Mapping[str, Any]]) -> None:
    """Delete the blobs that no image of the index names."""
    wanted: set[str] = set()
    for descriptor in descriptors:
        manifest = read_manifest(folder, descriptor)
        named = [descriptor, manifest["config"], *manifest["layers"]]
        wanted |= {one["digest"].removeprefix("sha256:") for one in named}
    for path in (folder / "blobs" / "sha256").iterdir():
        if path.name not in wanted:
            path.unlink()


def write_tar(images: Sequence[Image], path: Path, kind: Literal["oci-tar", "docker-tar"]) -> None:
    """Write one tar that holds images, their common layers once.

    Args:
        images: what it holds.
        path: the file; it appears whole or not at all.
        kind: `oci-tar` is a tar of an OCI layout, `docker-tar` what `docker load` reads.
    """
    files: dict[str, bytes | Path] = {}
    for image in images:
        files |= {_place(layer.digest): layer.path for layer in image.layers}
        files[_place(digest(image.config_blob))] = image.config_blob
    if kind == "docker-tar":
        files["manifest.json"] = json.dumps([_docker(image) for image in images], sort_keys=True).encode()
    else:
        files |= {_place(image.digest): image.manifest_blob for image in images}
        index = [_descriptor(image) for image in sorted(images, key=lambda one: one.reference)]
        files["index.json"] = encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": index})
        files["oci-layout"] = _VERSION
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            _add(archive, name, files[name])
    partial.replace(path)


def _place(of: str) -> str:
    return f"blobs/sha256/{of.removeprefix('sha256:')}"


def _docker(image: Image) -> dict[str, Any]:
    return {
        "Config": _place(digest(image.config_blob)),
        "RepoTags": [image.reference],
        "Layers": [_place(layer.digest) for layer in image.layers],
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = digest_of(content)[1] if content.is_symlink() else content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(info, file)


def write_bills(images: Iterable[Image], folder: Path) -> list[Path]:
    """Write each image's SBOM beside it, `<name>-<version>.cdx.json`; give the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for image in images:
        name = image.reference.rpartition("/")[2].replace(":", "-")
        path = folder / f"{name}.cdx.json"
        path.write_bytes(image.bill)
        written.append(path)
    return written
