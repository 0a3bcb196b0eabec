"""Open a base image: an OCI image layout, a tar of one, a docker-archive tar, or a name in a registry."""

from __future__ import annotations

import json
import os
import platform as platform_module
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knative.images.base import Base, BaseError
from knative.images.layers import compressed, digest_of, measured
from knative.images.wheels import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEXES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFESTS: Final = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)


def open_base(name: str, platform: str, work: Path, kept: Path | None = None) -> Base:
    """Open a base image.

    Args:
        name: a folder, a file, or `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.
        platform: such as `linux/amd64`, where the name stands for several.
        work: a folder for what is unpacked or downloaded.
        kept: a folder for what is made of it and may serve again; `work` when left out.

    Raises:
        BaseError: it is not there, is damaged, or is for another machine.
    """
    path = Path(name)
    try:
        if path.is_dir():
            base = _from_layout(path, path.name, platform)
        elif path.is_file():
            base = _from_tar(path, platform, work, kept or work)
        else:
            folder, digest = _pulled(name, platform, work)
            base = _from_layout(folder, name, platform, digest)
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise BaseError(f"the base {name} cannot be read: {error}") from error
    if base.platform != platform:
        raise BaseError(f"the base {name} is for {base.platform}, not for {platform}")
    return base


def this_system(name: str) -> Base:
    """Give the system that this process runs in as a base, as in a stage of a Dockerfile."""
    machines = {machine: one for one, machine in MACHINES.items()}
    system, _, architecture = machines.get(platform_module.machine(), "linux/unknown").partition("/")
    variables = {"Env": [f"PATH={os.environ.get('PATH', os.defpath)}"]}
    return Base(name, "", {"os": system, "architecture": architecture, "config": variables}, (), Path("/"))


def _pulled(name: str, platform: str, work: Path) -> tuple[Path, str]:
    from knative.images.registry import RegistryError, pull  # httpx, for those who need it

    try:
        return pull(name, platform, work)
    except RegistryError as error:
        raise BaseError(f"the base {name} is no file, no folder, and cannot be pulled: {error}") from None


def _from_tar(path: Path, platform: str, work: Path, kept: Path) -> Base:
    folder = work / "base"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    if (folder / "index.json").exists():
        return _from_layout(folder, path.name, platform)
    return _from_docker_archive(folder, path.name, kept)


def _from_docker_archive(folder: Path, name: str, kept: Path) -> Base:
    images = json.loads((folder / "manifest.json").read_bytes())
    if len(images) != 1:
        raise BaseError(f"the base {name} must hold one image, not {len(images)}")
    (image,) = images
    config = json.loads((folder / image["Config"]).read_bytes())
    layers = tuple(compressed(folder / layer, kept, "base") for layer in image["Layers"])
    if [layer.diff_id for layer in layers] != config["rootfs"]["diff_ids"]:
        raise BaseError(f"the base {name} is damaged: its layers are not those of its configuration")
    tags = image.get("RepoTags") or [name]
    return Base(tags[0], "", config, layers)


def _from_layout(folder: Path, name: str, platform: str, digest: str = "") -> Base:
    index = json.loads((folder / "index.json").read_bytes())
    described = next((one for one in index["manifests"] if one["digest"] == digest), None) if digest else None
    manifest, found = _manifest(folder, described or _chosen(index, name, platform), name, platform)
    config = json.loads(checked_blob(folder, manifest["config"]["digest"]).read_bytes())
    layers = tuple(measured(checked_blob(folder, one["digest"]), "base") for one in manifest["layers"])
    return Base(name, digest or found, config, layers)


def _manifest(folder: Path, described: Mapping[str, Any], name: str, platform: str) -> tuple[dict[str, Any], str]:
    """Follow indexes to a manifest; give it with its digest."""
    digest = described["digest"]
    document = json.loads(checked_blob(folder, digest).read_bytes())
    if "manifests" in document:
        return _manifest(folder, _chosen(document, name, platform), name, platform)
    return document, digest


def _chosen(index: Mapping[str, Any], name: str, platform: str) -> Mapping[str, Any]:
    """Choose what an index has for a machine."""
    images = [one for one in index["manifests"] if one.get("mediaType") in INDEXES | MANIFESTS]
    fitting = [one for one in images if platform_of(one) in {platform, ""}]
    if len(fitting) != 1:
        raise BaseError(f"the base {name} must hold one image for {platform}, not {len(fitting)}")
    chosen: Mapping[str, Any] = fitting[0]
    return chosen


def platform_of(descriptor: Mapping[str, Any]) -> str:
    """Give a descriptor's platform such as `linux/amd64`; empty when it names none."""
    platform = descriptor.get("platform")
    return f"{platform['os']}/{platform['architecture']}" if platform else ""


def checked_blob(folder: Path, digest: str) -> Path:
    """Give a blob of a layout, with its digest checked.

    Raises:
        ValueError: It is not what its name says.
    """
    kind, _, value = digest.partition(":")
    path = folder / "blobs" / kind / value
    if kind != "sha256" or digest_of(path)[0] != digest:
        raise ValueError(f"the blob {digest} is damaged")
    return path


def copy_blob(source: Path, folder: Path, digest: str) -> None:
    """Put a blob into a layout, unless it is there."""
    target = folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(source, partial)
        partial.replace(target)
