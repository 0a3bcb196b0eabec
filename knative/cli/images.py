"""`hal9 images`: make, list and push container images, with no container engine."""

from __future__ import annotations

import dataclasses
import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import knative
from knative.description import DescriptionError
from knative.images import layout, sources
from knative.images.base import BaseError
from knative.images.build import Made, Request, build, created_at, revision_of, source_of
from knative.images.closure import UnknownModuleError
from knative.images.parts import PartsError
from knative.images.wheels import MACHINES, WheelError, cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE: Final = (
    "docker.io/library/python:3.11.11-slim-bookworm"
    "@sha256:081075da77b2b55c23c088251026fb69a7b2bf92471e491ff5fd75c192fd38e5"
)
"""The base when none is named: a public image, by its digest; the Dockerfile has the same."""

_CHECKOUT: Final = Path(knative.__file__).parents[1]
_PREFIX: Final = re.compile(r"[a-z0-9]+([._:/-][a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MEGABYTE: Final = 1e6
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("images")
def command() -> None:
    """Make, list and push container images, with no container engine."""


def _prefix(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    if not _PREFIX.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no beginning of an image's name: one is registry.example/hal9")
    return value


def _tag(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    if value and not _TAG.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no tag of an image")
    return value


@command.command("build")
@click.argument("names", nargs=-1, metavar="[IMAGE]…")
@click.option("--base", default=BASE, show_default=True, help="OCI layout, OCI or docker-archive tar, or a name.")
@click.option(
    "--images", default="registry.example/hal9", show_default=True, callback=_prefix, help="Before /<image>:<version>."
)
@click.option("--version", default="", callback=_tag, help="Tag of the images; follows from the content when left out.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for what is made.")
@click.option(
    "--format",
    "kind",
    default="oci-layout",
    show_default=True,
    type=click.Choice(["oci-layout", "oci-tar", "docker-tar"]),
    help="A layout in the folder, or one tar in it.",
)
@click.option("--platform", default="linux/amd64", show_default=True, type=click.Choice(sorted(MACHINES)))
@click.option(
    "--source",
    help="Address where the sources are published; else what pyproject.toml names, or the git remote.",
)
@_JSON
def build_images(
    names: tuple[str, ...],
    base: str,
    images: str,
    version: str,
    out: Path,
    kind: layout.Format,
    platform: str,
    source: str | None,
    *,
    as_json: bool,
) -> None:
    """Make images: of functions, and migrations, archiver, postgres, valkey; all when none is named.

    PostgreSQL's and Valkey's bear their own version and a digest of what they run, instead of --version: a release that
    brings the same server restarts none. The same checkout, base and version give the same digests. Wheels come from
    requirements/run.lock, each checked against its hash; they, and the layers made of them, are kept in the user's
    cache folder.

    \b
    Example:
      hal9 images build --base python.tar --images dev.local/hal9 --out build/images --format docker-tar
    """
    revision, seconds = revision_of(_CHECKOUT)
    kept = cache_folder().with_name("layers")
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as work:
        try:
            request = Request(
                checkout=_CHECKOUT,
                names=names,
                base=sources.open_base(base, platform, Path(work), kept),
                prefix=images,
                version=version,
                revision=revision,
                source=source_of(_CHECKOUT) if source is None else source,
                created=created_at(seconds),
                work=Path(work),
                layers=kept,
                tell=(lambda _: None) if as_json else (lambda name: click.echo(f"making {name} …", err=True)),
            )
            made = build(request)
            path = _written(made, out, kind)
        except (BaseError, DescriptionError, PartsError, UnknownModuleError, WheelError, layout.LayoutError) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or out}: {error.strerror}") from None
    if as_json:
        click.echo(json.dumps({"path": str(path), "images": [one.summary() for one in made]}, indent=1))
        return
    for one in made:
        _show(one.summary())
    click.echo(f"\n{len(made)} images in {path}; bytes are those over the base's.")


def _written(made: Sequence[Made], out: Path, kind: layout.Format) -> Path:
    images = [one.image for one in made]
    if kind == "oci-layout":
        layout.write_layout(images, out)
        layout.write_bills(images, out / "sbom")
        return out
    path = out / f"images.{kind.removesuffix('-tar')}.tar"
    layout.write_tar(images, path, kind)
    layout.write_bills(images, out / "sbom")
    return path


def _show(summary: dict[str, Any]) -> None:
    packed, unpacked = (summary[name] / _MEGABYTE for name in ("bytes", "unpacked_bytes"))
    click.echo(f"{summary['name']}  {summary['digest']}  {packed:.1f} MB, unpacked {unpacked:.1f} MB")


@command.command("list")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_JSON
def list_images(folder: Path, *, as_json: bool) -> None:
    """List the images of the layout FOLDER: name, digest, size with the base."""
    try:
        found = [_about(folder, one) for one in layout.read_index(folder)]
    except layout.LayoutError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for about in found:
        click.echo(f"{about['name']}  {about['digest']}  {about['bytes'] / _MEGABYTE:.1f} MB")


@command.command("tree")
@click.argument("name", metavar="IMAGE")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder, not there yet.")
@click.option("--version", default="0.1.0", show_default=True, callback=_tag, help="Tag, for the SBOM.")
@click.option("--revision", default="", help="Commit of the sources, for the SBOM.")
def write_tree(name: str, out: Path, version: str, revision: str) -> None:
    """Write the files of IMAGE over this system into a folder: what the Dockerfile's first stage does."""
    if out.exists():
        raise click.ClickException(f"{out} is there already: name a folder that is not")
    with tempfile.TemporaryDirectory(prefix="hal9-images-") as work:
        try:
            request = Request(
                checkout=_CHECKOUT,
                names=(name,),
                base=sources.this_system("this system"),
                prefix="hal9",
                version=version,
                revision=revision,
                source="",
                created=created_at(0),
                work=Path(work),
            )
            (made,) = build(request)
        except (BaseError, DescriptionError, PartsError, UnknownModuleError, WheelError) as error:
            raise click.ClickException(str(error)) from None
        for layer in made.own:
            with tarfile.open(layer.path) as archive:
                for member in archive:
                    archive.extract(member, out, filter=_with_its_mode)
    _show(made.summary())


def _with_its_mode(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """Let through what is safe, with the mode that it has in the image: everybody writes to /tmp."""
    return tarfile.tar_filter(member, folder).replace(mode=member.mode, deep=False)


@command.command("push")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--to", required=True, help="HOST[:PORT]/PREFIX: an image becomes PREFIX/<image>:<version>.")
@click.option("--plain-http", is_flag=True, help="HTTP instead of HTTPS; always so for localhost.")
@_JSON
def push_images(folder: Path, to: str, *, plain_http: bool, as_json: bool) -> None:
    """Push the images of the layout FOLDER to a registry, each with its SBOM as a referrer.

    What the registry has is not sent again. Credentials are those of `docker login`, or of a credential helper.
    """
    from knative.images import registry

    def tell(one: registry.Pushed) -> None:
        if not as_json:
            click.echo(
                f"{one.name}@{one.digest}  {one.sent / _MEGABYTE:.1f} MB sent, {one.known / _MEGABYTE:.1f} MB known"
            )

    try:
        pushed = registry.push(folder, to, plain=plain_http, tell=tell)
    except (registry.RegistryError, layout.LayoutError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in pushed], indent=1))


def _about(folder: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    manifest = layout.read_manifest(folder, descriptor)
    return {
        "name": layout.name_of(descriptor),
        "digest": descriptor["digest"],
        "bytes": sum(one["size"] for one in manifest["layers"]),
        "revision": manifest["annotations"].get("org.opencontainers.image.revision", ""),
    }
