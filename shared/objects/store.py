"""What a store of objects does, and which one the settings mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from datetime import datetime


class ObjectMissingError(LookupError):
    """There is no object under that key."""


class ObjectsFullError(Exception):
    """The store has no room for an object; what was under its key is still there."""

    def __init__(self) -> None:
        super().__init__(
            "the store of objects has no space left; whoever runs the platform must free some where HAL9_OBJECTS points"
        )


@settings
class ObjectsSettings:
    """Where objects are kept."""

    url: str = setting(
        "HAL9_OBJECTS",
        doc="Where objects are kept: file:///folder, or s3://bucket/prefix (credentials as boto3 finds them).",
    )
    s3_endpoint: str | None = setting(
        "HAL9_OBJECTS_S3_ENDPOINT", None, "Address of a server that speaks S3, when it is not Amazon's."
    )


class Objects(Protocol):
    """A store. Every method raises ValueError for what is not a key (see `shared.objects.keys`)."""

    async def put(self, key: str, chunks: bytes | AsyncIterable[bytes], *, media_type: str = ...) -> int:
        """Keep an object, replacing the one under that key; how many bytes it has. Raises ObjectsFullError."""
        ...

    def get(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes, in pieces of at most 256 KiB. Raises ObjectMissingError at the first piece."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there is an object under that key."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; none there is no error."""
        ...

    def below(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin with `prefix` and a `/`, in their order; what is being written is not among them."""
        ...

    async def tidy(self, prefix: str, before: datetime) -> int:
        """Remove what `put` left below a prefix where its process was killed before that moment; how many rests."""
        ...

    async def check(self) -> None:
        """Raise when the store cannot be used."""
        ...


def open_objects(settings: ObjectsSettings) -> Objects:
    """The store of the settings.

    Raises:
        ValueError: the address is neither file:// nor s3://.
    """
    address = urlsplit(settings.url)
    if address.scheme == "file" and not address.netloc and address.path.startswith("/"):
        from shared.objects.directory import DirectoryObjects

        return DirectoryObjects(unquote(address.path))
    if address.scheme == "s3" and address.netloc:
        from shared.objects.s3 import S3Objects

        return S3Objects(address.netloc, unquote(address.path).strip("/"), endpoint=settings.s3_endpoint)
    raise ValueError("HAL9_OBJECTS must be file:///folder or s3://bucket/prefix")
