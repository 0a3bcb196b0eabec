"""Registries: pull a base, push images, by the OCI distribution specification 1.1.

Promises: whatever is downloaded is checked against its digest; a blob that a registry has is not sent again, and one
that another repository of it has is mounted from there; an SBOM is attached to its image as a referrer, also where the
registry knows no referrers (the specification's fallback tag). Credentials come from the user's Docker configuration
(config.json, its credential helpers), else the registry is asked anonymously; they go to it and to the token server
that it names over HTTPS only. Does not: sign, or delete.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import httpx

from knative.images.layers import digest_of
from knative.images.layout import INDEX, MANIFEST, described, digest, encoded, name_of, read_index, read_manifest
from knative.images.sbom import MEDIA_TYPE
from knative.images.sources import INDEXES, MANIFESTS, checked_blob, platform_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_REFERENCE: Final = re.compile(
    r"(?:(?P<host>[A-Za-z0-9.-]*[.:][A-Za-z0-9.:-]*|localhost)/)?(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_PUBLIC: Final = ("docker.io", "registry-1.docker.io", "https://index.docker.io/v1/")
"""What a name without a host stands for by Docker's convention: its name, its address, its key in config.json."""

_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_READ: Final = 1 << 20
_SECONDS: Final = 60.0
_EMPTY: Final = b"{}"
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_ACCEPTED: Final = ", ".join(sorted(INDEXES | MANIFESTS))


class RegistryError(RuntimeError):
    """A registry refused, or does not answer; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a registry."""

    host: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, name: str) -> Reference:
        """Read `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`; the tag is `latest` when neither is there.

        Raises:
            RegistryError: It is none.
        """
        match = _REFERENCE.fullmatch(name)
        if match is None:
            raise RegistryError(f"{name!r} is no name of an image, such as HOST/REPOSITORY:TAG")
        host, repository, found = match["host"] or _PUBLIC[0], match["repository"], match["digest"] or ""
        if host == _PUBLIC[0] and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host, repository, match["tag"] or ("" if found else "latest"), found)


class Registry:
    """One registry.

    Args:
        host: with its port.
        plain: HTTP instead of HTTPS; for a registry on this machine.
    """

    def __init__(self, host: str, *, plain: bool = False) -> None:
        self._host = host
        self._plain = plain or host.partition(":")[0] in {"localhost", "127.0.0.1"}
        address = _PUBLIC[1] if host == _PUBLIC[0] else host
        self._base = f"{'http' if self._plain else 'https'}://{address}/v2/"
        self._client = httpx.Client(timeout=_SECONDS, follow_redirects=True)
        self._authorization: dict[str, str] = {}

    def __enter__(self) -> Registry:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self, method: str, path: str, repository: str, *, allowed: Sequence[int] = (200,), content: Any = None,
        **more: Any,
    ) -> httpx.Response:  # fmt: skip
        """Make one request, with credentials when it is asked for them.

        Args:
            method: of HTTP.
            path: below /v2/, or a whole address that the registry gave.
            repository: that it is about; what is asked for is the right to pull from it, and to push when this writes.
            allowed: the answers that are no error.
            content: the body; a function gives it anew for each try.
            more: further arguments of `httpx.Client.build_request`.

        Raises:
            RegistryError: any other answer, or none.
        """
        right = "pull" if method in {"GET", "HEAD"} and "/uploads/" not in path else "pull,push"
        scope = f"repository:{repository}:{right}"
        answer = self._send(method, path, scope, content, more)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._authorization[scope] = self._authorize(answer.headers.get("www-authenticate", ""), scope)
            answer = self._send(method, path, scope, content, more)
        if answer.status_code not in allowed:
            raise RegistryError(f"{self._host} answered {answer.status_code} to {method} {repository}: {_said(answer)}")
        return answer

    def _send(self, method: str, path: str, scope: str, content: Any, more: Mapping[str, Any]) -> httpx.Response:
        headers = {**more.get("headers", {})}
        address = urljoin(self._base, path)
        if scope in self._authorization and address.startswith(self._base):
            headers["Authorization"] = self._authorization[scope]
        body = content() if callable(content) else content
        try:
            return self._client.request(method, address, **{**more, "headers": headers}, content=body)
        except httpx.HTTPError as error:
            raise RegistryError(f"{self._host} does not answer: {error}") from None

    def _authorize(self, challenge: str, scope: str) -> str:
        """Give the header that answers a challenge (RFC 7235; the token authentication of Docker's registries)."""
        kind, _, rest = challenge.partition(" ")
        login = _login(self._host)
        if kind.lower() == "basic" and login is not None:
            return "Basic " + base64.b64encode(":".join(login).encode()).decode()
        fields = dict(_CHALLENGE.findall(rest))
        unknown = f"{self._host} wants credentials: log in with `docker login {self._host}` or a helper"
        if kind.lower() != "bearer" or "realm" not in fields:
            raise RegistryError(unknown)
        if not self._plain and not fields["realm"].startswith("https://"):
            raise RegistryError(f"{self._host} names a token server without HTTPS: it is not trusted")
        asked = {"scope": scope, **({"service": fields["service"]} if "service" in fields else {})}
        try:
            answer = self._client.get(fields["realm"], params=asked, auth=login)
            if answer.status_code != httpx.codes.OK:
                refused = f"{self._host} gives no right to {scope}: {answer.status_code}"
                raise RegistryError(refused if login else unknown)
            document = answer.json()
            return f"Bearer {document.get('token') or document['access_token']}"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise RegistryError(f"the token server of {self._host} does not answer as it should: {error}") from None

    def download(self, path: str, repository: str, to: Path, wanted: str) -> None:
        """Write a blob to a file, and check its digest.

        Raises:
            RegistryError: it is not there, or is not what was asked for.
        """
        answer = self.call("GET", path, repository)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(answer.content)
        if digest_of(to)[0] != wanted:
            to.unlink()
            raise RegistryError(f"{self._host} gave something else for {wanted}")


def _said(answer: httpx.Response) -> str:
    """Give what a registry says went wrong."""
    try:
        return "; ".join(f"{one['code']}: {one.get('message', '')}" for one in answer.json()["errors"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _login(host: str) -> tuple[str, str] | None:
    """Give user and password of a registry from the user's Docker configuration; None when it has none.

    Raises:
        RegistryError: The configuration is there and cannot be read.
    """
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    key = _PUBLIC[2] if host == _PUBLIC[0] else host
    try:
        config = json.loads(path.read_bytes())
        helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
        if helper and re.fullmatch(r"[A-Za-z0-9_-]+", helper):
            return _helped(helper, key)
        entry = (config.get("auths") or {}).get(key) or {}
        user, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RegistryError(f"{path} is no Docker configuration that can be read: {error}") from None
    return (user, password) if user else None


def _helped(helper: str, key: str) -> tuple[str, str] | None:
    """Ask a credential helper (`docker-credential-NAME get`)."""
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=key.encode(), capture_output=True, check=True
        )
        found = json.loads(done.stdout)
        return str(found["Username"]), str(found["Secret"])
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError):
        return None


def pull(name: str, platform: str, work: Path, *, plain: bool = False) -> tuple[Path, str]:
    """Download an image as a layout.

    Args:
        name: its name in a registry.
        platform: such as `linux/amd64`, where the name stands for several.
        work: a folder for it.
        plain: HTTP instead of HTTPS.

    Returns:
        the layout's folder, and the digest of the image's manifest.

    Raises:
        RegistryError: It cannot be had.
    """
    reference = Reference.parse(name)
    folder = work / "pulled"
    with Registry(reference.host, plain=plain) as registry:
        found = reference.digest or reference.tag
        manifest, media_type = _pulled_manifest(registry, reference.repository, found, reference.digest)
        if media_type in INDEXES:
            chosen = [one for one in json.loads(manifest)["manifests"] if platform_of(one) == platform]
            if not chosen:
                raise RegistryError(f"{name} has nothing for {platform}")
            wanted = chosen[0]["digest"]
            manifest, media_type = _pulled_manifest(registry, reference.repository, wanted, wanted)
        document = json.loads(manifest)
        for one in (document["config"], *document["layers"]):
            path = f"{reference.repository}/blobs/{one['digest']}"
            registry.download(path, reference.repository, _place(folder, one["digest"]), one["digest"])
    _place(folder, digest(manifest)).write_bytes(manifest)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(manifest, media_type)]}
    (folder / "index.json").write_bytes(encoded(index))
    return folder, digest(manifest)


def _place(folder: Path, of: str) -> Path:
    return folder / "blobs" / "sha256" / of.removeprefix("sha256:")


def _pulled_manifest(registry: Registry, repository: str, tag: str, wanted: str) -> tuple[bytes, str]:
    """Give a manifest with its media type."""
    answer = registry.call("GET", f"{repository}/manifests/{tag}", repository, headers={"Accept": _ACCEPTED})
    if wanted and digest(answer.content) != wanted:
        raise RegistryError(f"{repository}: the registry gave another manifest than {wanted}")
    media_type = json.loads(answer.content).get("mediaType") or answer.headers.get("content-type", "")
    return answer.content, media_type


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one image.

    Attributes:
        name: its whole name in the registry.
        digest: its manifest's.
        sent: bytes that were sent.
        known: bytes that the registry had already, or mounted.
    """

    name: str
    digest: str
    sent: int
    known: int


class _Push:
    """Pushes images of one layout; knows which repository has which blob."""

    def __init__(self, registry: Registry, folder: Path, prefix: str) -> None:
        self._registry = registry
        self._folder = folder
        self._prefix = prefix
        self._homes: dict[str, str] = {}

    def image(self, descriptor: Mapping[str, Any], host: str) -> Pushed:
        """Push one image with its SBOM."""
        last, _, tag = name_of(descriptor).rpartition("/")[2].partition(":")
        repository = f"{self._prefix}/{last}" if self._prefix else last
        manifest = read_manifest(self._folder, descriptor)
        blobs = {one["digest"]: one["size"] for one in (manifest["config"], *manifest["layers"])}
        sent = [size for of, size in blobs.items() if self._blob(repository, of)]
        self._put(repository, tag, checked_blob(self._folder, descriptor["digest"]).read_bytes(), MANIFEST)
        bill = self._folder / "sbom" / f"{last}-{tag}.cdx.json"
        if bill.exists():
            self._attach(repository, descriptor, bill.read_bytes())
        name = f"{host}/{repository}:{tag}"
        return Pushed(name, descriptor["digest"], sum(sent), sum(blobs.values()) - sum(sent))

    def _blob(self, repository: str, of: str) -> bool:
        """See that a repository has a blob; whether it had to be sent."""
        path = checked_blob(self._folder, of)

        def content() -> Iterator[bytes]:
            with path.open("rb") as file:
                while block := file.read(_READ):
                    yield block

        return self._upload(repository, of, path.stat().st_size, content)

    def _upload(self, repository: str, of: str, size: int, content: Callable[[], Iterator[bytes]] | bytes) -> bool:
        there = self._registry.call("HEAD", f"{repository}/blobs/{of}", repository, allowed=(200, 404))
        home = self._homes.setdefault(of, repository)
        if there.status_code == httpx.codes.OK:
            return False
        mount = f"?mount={of}&from={home}" if home != repository else ""
        begun = self._registry.call("POST", f"{repository}/blobs/uploads/{mount}", repository, allowed=(201, 202))
        if begun.status_code == httpx.codes.CREATED:
            return False
        address = urljoin(str(begun.url), begun.headers["location"])
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        joined = f"{address}{'&' if '?' in address else '?'}digest={of}"
        self._registry.call("PUT", joined, repository, allowed=(201,), content=content, headers=headers)
        return True

    def _put(self, repository: str, tag: str, manifest: bytes, media_type: str) -> httpx.Response:
        headers = {"Content-Type": media_type}
        path = f"{repository}/manifests/{tag}"
        return self._registry.call("PUT", path, repository, allowed=(201,), content=manifest, headers=headers)

    def _attach(self, repository: str, descriptor: Mapping[str, Any], bill: bytes) -> None:
        """Attach an SBOM to its image as a referrer."""
        for blob in (bill, _EMPTY):
            self._upload(repository, digest(blob), len(blob), blob)
        subject = {"mediaType": MANIFEST, "digest": descriptor["digest"], "size": descriptor["size"]}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": MEDIA_TYPE,
            "config": described(_EMPTY, _EMPTY_TYPE),
            "layers": [described(bill, MEDIA_TYPE)],
            "subject": subject,
        }
        manifest = encoded(document)
        answer = self._put(repository, digest(manifest), manifest, MANIFEST)
        if "oci-subject" not in answer.headers:
            listed = {**described(manifest, MANIFEST), "artifactType": MEDIA_TYPE}
            self._list_by_tag(repository, descriptor["digest"].replace(":", "-"), listed)

    def _list_by_tag(self, repository: str, tag: str, referrer: Mapping[str, Any]) -> None:
        """Add to the index of referrers that stands under a tag, where the registry keeps none."""
        path = f"{repository}/manifests/{tag}"
        found = self._registry.call("GET", path, repository, allowed=(200, 404), headers={"Accept": INDEX})
        known = json.loads(found.content)["manifests"] if found.status_code == httpx.codes.OK else []
        others = [one for one in known if one["digest"] != referrer["digest"]]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, referrer]}
        self._put(repository, tag, encoded(index), INDEX)


def push(
    folder: Path, to: str, *, plain: bool = False, tell: Callable[[Pushed], None] = lambda _: None
) -> list[Pushed]:
    """Push every image of a layout.

    Args:
        folder: the layout.
        to: `HOST[:PORT]/PREFIX`: an image goes to PREFIX/NAME:VERSION.
        plain: HTTP instead of HTTPS.
        tell: is told of each image.

    Raises:
        RegistryError: the registry refused.
        LayoutError: the folder is no layout.
    """
    host, _, prefix = to.partition("/")
    if not ("." in host or ":" in host or host == "localhost"):
        raise RegistryError(f"{to!r} must begin with the registry's host, as in registry.example/hal9")
    pushed = []
    with Registry(host, plain=plain) as registry:
        work = _Push(registry, folder, prefix)
        for descriptor in read_index(folder):
            pushed.append(work.image(descriptor, host))
            tell(pushed[-1])
    return pushed
