"""A server that speaks S3 on 127.0.0.1, for tests that use boto3 as it is."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class S3Server(BaseHTTPRequestHandler):
    """As much of S3's wire protocol as the store uses, over a dictionary."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, tuple[bytes, str]]]
    uploads: ClassVar[dict[str, dict[int, bytes]]]
    fail_part: ClassVar[int | None]
    full: ClassVar[tuple[int, str] | None]
    names: ClassVar[dict[str, str]]

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return data

    def _where(self) -> tuple[str, dict[str, str]]:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        return unquote(url.path), query

    def do_HEAD(self) -> None:
        path, _ = self._where()
        self._answer(200 if path in {"/bucket", "/bucket/"} or path in self.objects else 404)

    def do_GET(self) -> None:
        path, query = self._where()
        if "uploads" in query:
            self._list_uploads()
            return
        if "list-type" in query:
            self._list(path.rstrip("/"), query)
            return
        if path not in self.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")
            return
        data, media_type = self.objects[path]
        self._answer(200, data, Content_Type=media_type, ETag='"x"')

    def _list_uploads(self) -> None:
        """ListMultipartUploads: all of them were begun in 2026; where there are none, some servers have no list."""
        if not self.uploads:
            self._answer(404, b"<Error><Code>NoSuchUpload</Code><Message>none</Message></Error>")
            return
        begun = "".join(
            f"<Upload><Key>{self.names[upload]}</Key><UploadId>{upload}</UploadId>"
            "<Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
            for upload in self.uploads
        )
        answer = f"<ListMultipartUploadsResult>{begun}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        self._answer(200, answer.encode())

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        """ListObjectsV2, two keys at a time, so that whoever lists must go on."""
        found = [name.removeprefix(f"{bucket}/") for name in sorted(self.objects)]
        found = [name for name in found if name.startswith(query.get("prefix", ""))]
        begin = int(query.get("continuation-token", "0"))
        contents = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in found[begin : begin + 2])
        more = begin + 2 < len(found)
        token = f"<NextContinuationToken>{begin + 2}</NextContinuationToken>" if more else ""
        answer = f"<ListBucketResult>{contents}<IsTruncated>{str(more).lower()}</IsTruncated>{token}</ListBucketResult>"
        self._answer(200, answer.encode())

    def do_PUT(self) -> None:
        path, query = self._where()
        data = self._body()
        if self.full is not None:
            status, code = self.full
            self._answer(status, f"<Error><Code>{code}</Code><Message>no room</Message></Error>".encode())
            return
        if "partNumber" not in query:
            self.objects[path] = (data, self.headers["Content-Type"])
        elif int(query["partNumber"]) == self.fail_part:
            self._answer(400, b"<Error><Code>BadDigest</Code><Message>no</Message></Error>")
            return
        else:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = data
        self._answer(200, ETag=f'"{len(data)}"')

    def do_POST(self) -> None:
        path, query = self._where()
        data = self._body()
        if "uploads" in query:
            self.uploads["u1"] = {}
            self.names["u1"] = path.removeprefix("/bucket/")
            reply = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
        else:
            order = [int(e.text or 0) for e in ElementTree.fromstring(data).iter() if e.tag.endswith("PartNumber")]
            parts = self.uploads.pop(query["uploadId"])
            assert all(len(parts[number]) >= 5 * 2**20 for number in order[:-1]), "EntityTooSmall"
            self.objects[path] = (b"".join(parts[number] for number in order), "multipart")
            reply = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
        self._answer(200, reply.encode())

    def do_DELETE(self) -> None:
        path, query = self._where()
        if "uploadId" in query:
            self.uploads.pop(query["uploadId"])
        else:
            self.objects.pop(path, None)
        self._answer(204)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that speaks S3."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    S3Server.objects, S3Server.uploads, S3Server.fail_part = {}, {}, None
    S3Server.names, S3Server.full = {}, None
    server = ThreadingHTTPServer(("127.0.0.1", 0), S3Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
