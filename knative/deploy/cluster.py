"""A cluster's API, as far as a deployment needs it: objects as plain dicts, read, applied, deleted.

    async with connect("staging", "hal9") as cluster:
        applied = await cluster.apply(manifest, dry_run=True)

Promises: objects are applied by the server (field manager `hal9`, forced for the fields that we set) with strict
validation, so that a field that nobody knows is a fault; the server's warnings are given, never swallowed; a key out of
a kubeconfig lies in no file when the connection is closed.
Does not: repeat what the server refused, or keep what it read.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import warnings
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.request import parse_http_list

import httpx
import kr8s
import kr8s.asyncio

from knative.deploy import kubeconfig
from knative.deploy.kinds import POD, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from knative.render.target import Manifest

MANAGER: Final = "hal9"
"""The field manager."""

_SECONDS: Final = 30.0
_LOGIN_SECONDS: Final = 300.0
_PAGE: Final = 500
_PAUSES: Final = (0.5, 2.0, 5.0)
"""Between tries, where the server did not answer a request that may be repeated."""

_PAUSES_FOR_A_POD: Final = (0.5, 2.0, 5.0, 10.0, 20.0, 20.0)
"""Between tries, where it is busy, or could not ask a webhook: on a busy node its pod takes as long to come back."""

_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_WEBHOOK: Final = "failed calling webhook"  # kube-apiserver's words, of whatever kept it from an answer
_APPLY: Final = "application/apply-patch+yaml"
_JSON: Final = "application/json"


class ClusterError(Exception):
    """The cluster cannot be reached, or refused something.

    Attributes:
        status: the HTTP status; 0 when there was no answer.
        reason: Kubernetes' reason, such as `Forbidden`; empty when there is none.
    """

    def __init__(self, text: str, status: int = 0, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason

    @property
    def passing(self) -> bool:
        """Whether nothing was refused: the server, or a webhook that it asks, was busy or did not answer."""
        return self.status == 0 or _unheard(self.status, str(self))


@dataclass(frozen=True, slots=True)
class Applied:
    """What the server made of a manifest.

    Attributes:
        object: as it stands now, or would.
        warnings: the server's.
    """

    object: Manifest
    warnings: tuple[str, ...] = ()


class Cluster:
    """One namespace of a cluster.

    Args:
        api: the connection.
        namespace: where objects are read and written.
    """

    def __init__(self, api: kr8s.asyncio.Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    @property
    def context(self) -> str:
        """The kubeconfig's context; empty for a pod's own account."""
        return str(self._api.auth.active_context)

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._api.auth.server)

    async def version(self) -> str:
        """Give the version of Kubernetes, such as `v1.34.4`."""
        return str((await self._json("GET", "/version/"))["gitVersion"])

    async def served(self, version: str) -> frozenset[str]:
        """Name the kinds that the server has of an apiVersion; none when it has no such group."""
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        answer = await self._request("GET", path)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return frozenset()
        return frozenset(str(one["kind"]) for one in _judged(answer, "GET", path).json()["resources"])

    async def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> Manifest | None:
        """Give an object, None where there is none."""
        path = kind.path(namespace or self.namespace, name)
        answer = await self._request("GET", path)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        found: Manifest = _judged(answer, "GET", path).json()
        return found

    async def listed(self, kind: Kind, selector: str = "", *, namespace: str | None = None) -> list[Manifest]:
        """Give every object of a kind, all pages of them."""
        query = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
        found: list[Manifest] = []
        while True:
            page = await self._json("GET", kind.path(namespace or self.namespace), query=query)
            found += page["items"]
            if not page["metadata"].get("continue"):
                break
            query["continue"] = page["metadata"]["continue"]
        return [{"apiVersion": kind.version, "kind": kind.name, **one} for one in found]

    async def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Applied:
        """Apply a manifest by the server, with strict validation."""
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        path = kind_of(manifest).path(self.namespace, manifest["metadata"]["name"])
        answer = await self._request("PATCH", path, query=_dry(query, dry_run), body=manifest, content_type=_APPLY)
        return Applied(_judged(answer, "PATCH", path).json(), _warnings(answer))

    async def create(self, kind: Kind, body: Manifest, *, dry_run: bool = False) -> Manifest:
        """Make an object that must not be there yet."""
        query = _dry({"fieldManager": MANAGER, "fieldValidation": "Strict"}, dry_run)
        return await self._json("POST", kind.path(self.namespace), query=query, body=body, repeatable=False)

    async def replace(self, kind: Kind, body: Manifest) -> Manifest:
        """Replace an object; its resourceVersion, where given, must still be the newest."""
        path = kind.path(self.namespace, body["metadata"]["name"])
        return await self._json("PUT", path, query={"fieldManager": MANAGER, "fieldValidation": "Strict"}, body=body)

    async def delete(self, kind: Kind, name: str, *, uid: str | None = None, dry_run: bool = False) -> bool:
        """Delete an object and what hangs on it; whether it was there.

        Args:
            kind: Its kind.
            name: Its name.
            uid: Which one is meant; another one of the same name stays.
            dry_run: Only ask whether it would be deleted.
        """
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        path = kind.path(self.namespace, name)
        answer = await self._request("DELETE", path, query=_dry({}, dry_run), body=body)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return False
        _judged(answer, "DELETE", path)
        return True

    async def review(self, attributes: Mapping[str, str]) -> bool:
        """Ask whether we may do something (SelfSubjectAccessReview, its `resourceAttributes`)."""
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": dict(attributes)},
        }
        answer = await self._json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool(answer["status"]["allowed"])

    async def log(self, pod: str, container: str, lines: int, *, previous: bool = False) -> list[str]:
        """Give the last lines of a container's log; none when there is no log."""
        query = {"container": container, "tailLines": str(lines), **({"previous": "true"} if previous else {})}
        answer = await self._request("GET", POD.path(self.namespace, pod) + "/log", query=query)
        return answer.text.splitlines() if answer.status_code == HTTPStatus.OK else []

    async def scraped(self, pod: str, port: int, path: str) -> str | None:
        """Give what a pod answers at a port, through the API server; None when the pod does not answer.

        Raises:
            ClusterError: We may not ask pods.
        """
        asked = f"{POD.path(self.namespace, pod)}:{port}/proxy/{path}"
        answer = await self._request("GET", asked, patient=False)  # a 503 may be the pod's
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            _judged(answer, "GET", asked)
        return answer.text if answer.is_success else None

    async def _json(self, method: str, path: str, **more: Any) -> Manifest:
        answer = await self._request(method, path, **more)
        found: Manifest = _judged(answer, method, path).json()
        return found

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = _JSON,
        repeatable: bool = True,
        patient: bool = True,
    ) -> httpx.Response:
        sent: dict[str, Any] = {"params": dict(query or {})}
        if body is not None:
            sent |= {"content": json.dumps(body), "headers": {"Content-Type": content_type}}
        answer = await self._heard(method, path, sent, repeatable=repeatable, patient=patient)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:  # a token of a few minutes may have run out
            return await self._sent(method, path, sent, renew=True)
        return answer

    async def _heard(
        self, method: str, path: str, sent: Mapping[str, Any], *, repeatable: bool, patient: bool
    ) -> httpx.Response:
        """Send a request, again while nobody heard it; give what was answered last."""
        unanswered, unheard = iter(_PAUSES), iter(_PAUSES_FOR_A_POD if patient else ())
        while True:
            try:
                answer = await self._sent(method, path, sent, renew=False)
            except ClusterError:
                pause = next(unanswered, None) if repeatable else None  # what it made may be there
                if pause is None:
                    raise
            else:
                heard = answer.is_success or not _unheard(answer.status_code, answer.text)
                pause = None if heard else next(unheard, None)
                if pause is None:
                    return answer
            await asyncio.sleep(pause)

    async def _sent(self, method: str, path: str, sent: Mapping[str, Any], *, renew: bool) -> httpx.Response:
        """Send a request; `renew` lets the library ask for new credentials when the server refuses those it has."""
        base, _, last = path.rpartition("/")
        try:
            async with self._api.call_api(
                method, version="", base=base, url=last, raise_for_status=renew, **sent
            ) as answer:
                return answer
        except kr8s.ServerError as error:
            if error.response is None:
                raise ClusterError(f"{self.server}: {error}") from error
            return error.response
        except (httpx.TransportError, ssl.SSLError, kr8s.APITimeoutError) as error:
            raise ClusterError(f"{self.server} does not answer: {str(error) or type(error).__name__}") from error


@asynccontextmanager
async def connect(context: str | None, namespace: str) -> AsyncIterator[Cluster]:
    """Connect to the cluster of a kubeconfig's context.

    Args:
        context: its name; None for the current one, or, inside of a pod, the pod's own account.
        namespace: where objects are read and written.

    Raises:
        ClusterError: There is no such context, no credentials, or no answer.
    """
    with _folder_for_keys():
        api = await _connected(context, namespace)
        try:
            yield Cluster(api, namespace)
        finally:
            if api._session is not None:  # noqa: SLF001 - the library has no way to close it
                await api._session.aclose()  # noqa: SLF001


async def _connected(context: str | None, namespace: str) -> kr8s.asyncio.Api:
    try:
        found = kubeconfig.read(context)
    except kubeconfig.KubeconfigError as error:
        raise ClusterError(str(error)) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the server's version: `preflight` judges it
            # The library asks for the version, and sets no limit; a plugin may have somebody log in.
            async with asyncio.timeout(_LOGIN_SECONDS if found.plugin else _SECONDS):
                api = await kr8s.asyncio.api(context=context, namespace=namespace)
    except kr8s.ServerError as error:
        raise ClusterError(_refused(error, found)) from error
    except (TimeoutError, httpx.TransportError, ssl.SSLError, kr8s.APITimeoutError) as error:
        raise ClusterError(f"{found} does not answer: {str(error) or type(error).__name__}") from error
    except json.JSONDecodeError as error:
        raise ClusterError(f"{found} does not answer as an API server does: {error}") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, RuntimeError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"{found} cannot be used: {text}") from error
    api.timeout = _SECONDS
    return api


def _refused(error: kr8s.ServerError, found: kubeconfig.Named) -> str:
    """Tell a refusal of the credentials from the answer of something that is no API server."""
    status = error.response.status_code if error.response is not None else 0
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return f"{found} refuses the credentials: {error}"
    return f"{found} does not answer as an API server does: {error}"


@contextmanager
def _folder_for_keys() -> Iterator[None]:
    """Have the library write keys into a folder that goes with the connection: it leaves them in the temporary one."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _unheard(status: int, text: str) -> bool:
    """Tell whether the server is busy, or could not ask a webhook, as for moments while its pod moves."""
    return status in _BUSY or (status == HTTPStatus.INTERNAL_SERVER_ERROR and _WEBHOOK in text)


def _dry(query: Mapping[str, str], dry_run: bool) -> dict[str, str]:
    return {**query, **({"dryRun": "All"} if dry_run else {})}


def _judged(answer: httpx.Response, method: str, path: str) -> httpx.Response:
    """Give an answer that is a success.

    Raises:
        ClusterError: It is none; the text is the server's.
    """
    if answer.is_success:
        return answer
    try:
        status = answer.json()
        text, reason = str(status["message"]), str(status.get("reason", ""))
    except (ValueError, KeyError, TypeError):
        text, reason = f"{method} {path}: {answer.status_code} {answer.text[:200]}", ""
    raise ClusterError(text, answer.status_code, reason)


def _warnings(answer: httpx.Response) -> tuple[str, ...]:
    """Read the `Warning` headers (RFC 7234 section 5.5): a code, an agent, a quoted text."""
    found = []
    for value in parse_http_list(", ".join(answer.headers.get_list("warning"))):
        text = value.split(" ", 2)[-1].strip()
        found.append(text[1:-1].replace('\\"', '"') if text.startswith('"') else text)
    return tuple(found)
