"""Objects in S3, or in a server that speaks it. boto3 is imported at the first use, and runs in threads.

Promises: an object that does not fit into one part goes up as a multipart upload, which is given up when it fails
half way; what is kept in memory is one part. Does not: hold credentials; boto3 finds them (IRSA in a cluster).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from shared.objects.keys import validated
from shared.objects.store import ObjectMissingError, ObjectsFullError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable
    from datetime import datetime

_PART_BYTES: Final = 8 * 2**20  # S3 wants at least 5 MiB for each part but the last
_CHUNK: Final = 256 * 1024
_INSUFFICIENT_STORAGE: Final = 507


class S3Objects:
    """A store in a bucket.

    Args:
        bucket: its name.
        prefix: put before every key; empty for none.
        endpoint: address of a server that speaks S3, when it is not Amazon's.
    """

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._client: Any = None

    async def _call(self, operation: str, **arguments: Any) -> Any:
        """One call of the API, in a thread."""
        if self._client is None:
            self._client = await asyncio.to_thread(self._connect)
        call: Callable[..., Any] = getattr(self._client, operation)
        return await asyncio.to_thread(partial(call, Bucket=self._bucket, **arguments))

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 4},
            connect_timeout=5,
            read_timeout=30,
            # A server of one's own usually has no wildcard certificate for bucket.host: address it by path.
            s3={"addressing_style": "path" if self._endpoint else "auto"},
        )
        return boto3.client("s3", endpoint_url=self._endpoint, config=config)

    def _name(self, key: str) -> str:
        return self._prefix + validated(key)

    async def put(
        self, key: str, chunks: bytes | AsyncIterable[bytes], *, media_type: str = "application/octet-stream"
    ) -> int:
        """Keep an object. S3 acknowledges it only when it is durable."""
        from botocore.exceptions import ClientError

        try:
            return await self._put(self._name(key), chunks, media_type)
        except ClientError as error:
            if _full(error):
                raise ObjectsFullError from error
            raise

    async def _put(self, name: str, chunks: bytes | AsyncIterable[bytes], media_type: str) -> int:
        first, rest = await _first_part(chunks)
        if rest is None:
            await self._call("put_object", Key=name, Body=first, ContentType=media_type)
            return len(first)
        begun = await self._call("create_multipart_upload", Key=name, ContentType=media_type)
        upload = {"Key": name, "UploadId": begun["UploadId"]}
        try:
            size, parts = await self._upload_parts(upload, first, rest)
            await self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except BaseException:
            await asyncio.shield(self._call("abort_multipart_upload", **upload))
            raise
        return size

    async def _upload_parts(
        self, upload: dict[str, str], first: bytes, rest: AsyncIterator[bytes]
    ) -> tuple[int, list[dict[str, Any]]]:
        parts: list[dict[str, Any]] = []
        size, buffer = 0, bytearray(first)

        async def send() -> None:
            number = len(parts) + 1
            answer = await self._call("upload_part", **upload, PartNumber=number, Body=bytes(buffer))
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            buffer.clear()

        async for chunk in rest:
            if len(buffer) >= _PART_BYTES:
                size += len(buffer)
                await send()
            buffer += chunk
        size += len(buffer)
        await send()
        return size, parts

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes."""
        from botocore.exceptions import ClientError

        try:
            answer = await self._call("get_object", Key=self._name(key))
        except ClientError as error:
            if _missing(error):
                raise ObjectMissingError(key) from None
            raise
        body = answer["Body"]
        try:
            while chunk := await asyncio.to_thread(body.read, _CHUNK):
                yield chunk
        finally:
            body.close()

    async def exists(self, key: str) -> bool:
        """Whether there is an object under that key."""
        from botocore.exceptions import ClientError

        try:
            await self._call("head_object", Key=self._name(key))
        except ClientError as error:
            if _missing(error):
                return False
            raise
        return True

    async def delete(self, key: str) -> None:
        """Remove the object; none there is no error."""
        await self._call("delete_object", Key=self._name(key))

    async def below(self, prefix: str) -> AsyncIterator[str]:
        """The keys below a prefix, in S3's order, which is that of their bytes."""
        asked = {"Prefix": self._name(prefix) + "/"}
        while True:
            answer = await self._call("list_objects_v2", **asked)
            for found in answer.get("Contents", ()):
                yield found["Key"].removeprefix(self._prefix)
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    async def tidy(self, prefix: str, before: datetime) -> int:
        """Give up multipart uploads below a prefix that were begun before that moment; how many they were."""
        from botocore.exceptions import ClientError

        asked = {"Prefix": self._name(prefix) + "/"}
        count = 0
        while True:
            try:
                answer = await self._call("list_multipart_uploads", **asked)
            except ClientError as error:
                if _code(error) == "NoSuchUpload":  # what some servers say where there are none
                    return count
                raise
            for upload in answer.get("Uploads", ()):
                if upload["Initiated"] < before:
                    await self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
                    count += 1
            if not answer.get("IsTruncated"):
                return count
            asked |= {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    async def check(self) -> None:
        """Raise when the bucket cannot be reached."""
        await self._call("head_bucket")


async def _first_part(chunks: bytes | AsyncIterable[bytes]) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """The first part, and what comes after it; None when that is nothing."""
    if isinstance(chunks, bytes):
        return chunks, None
    buffer = bytearray()
    iterator = aiter(chunks)
    async for chunk in iterator:
        buffer += chunk
        if len(buffer) >= _PART_BYTES:
            return bytes(buffer), iterator
    return bytes(buffer), None


def _full(error: Any) -> bool:
    """Whether the server has no room: Amazon's has, others (MinIO, Ceph) answer 507, or name a quota."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return bool(status == _INSUFFICIENT_STORAGE or _code(error).endswith("QuotaExceeded"))


def _missing(error: Any) -> bool:
    return _code(error) in {"404", "NoSuchKey", "NotFound"}


def _code(error: Any) -> str:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code
