"""The broker's proof at a function's door, with an API server that speaks TLS: who gets in, what others hear."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.requests import Request
from starlette.responses import Response

from shared.function import Function, Operation
from shared.function.brokerproof import DEAD_LETTERS, EVENTS
from shared.function.operation import BROKER_ISSUERS
from shared.keys import PrivateKey, base64url, write_trust
from shared.tokens import Issuer

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared.function import Call

KEY = rsa.generate_private_key(65537, 2048)
ISSUER = "https://kubernetes.default.svc.cluster.local"
TRIGGER = "system:serviceaccount:hal9:worker-made-oidc-eventing.knative.dev-trigger"
OTHER_TRIGGER = "system:serviceaccount:hal9:other-made-oidc-eventing.knative.dev-trigger"
SECRET = "s" * 43


def account_token(subject: str = TRIGGER, audience: str = "hal9/worker", **members: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": [audience], "sub": subject, "iat": now, "nbf": now, "exp": now + 3600}
    return jwt.encode({**claims, **members}, KEY, "RS256", headers={"kid": "k1", "typ": None})


class ApiServer:
    """An API server's page of keys, over TLS; refuses who does not show the pod's own token."""

    def __init__(self, folder: Path) -> None:
        self.ca, self._context = _certificates(folder)
        self.pod_token = folder / "token"
        self.pod_token.write_text(account_token("system:serviceaccount:hal9:worker", "api") + "\n")
        self.asked: list[str] = []
        self.url = ""
        self.status = 200

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        numbers = KEY.public_key().public_numbers()
        n = base64url.encode(numbers.n.to_bytes(256, "big"))
        member = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": n, "e": "AQAB"}
        genuine = f"authorization: Bearer {self.pod_token.read_text().strip()}\r\n" in head
        status = self.status if genuine and head.startswith("GET /openid/v1/jwks ") else 403
        body = json.dumps({"keys": [member]}).encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server


def _certificates(folder: Path, name: str = "api") -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1 that is its own authority; give the file to believe and the server's context."""
    import ssl

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / f"{name}.crt", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context


async def taken(call: Call) -> Response:
    assert call.claims is not None
    return Response(call.claims.subject, 202)


def client_of(function: Function) -> httpx.AsyncClient:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await function.handle(Request(scope, receive))
        await response(scope, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://worker")


def worker() -> Function:
    deliveries = [
        Operation("POST", path, permission, taken, "x", raw_body=True, issuers=BROKER_ISSUERS)
        for path, permission in (("/events", EVENTS), ("/dead-letters", DEAD_LETTERS))
    ]
    return Function("worker", [*deliveries, Operation("GET", "/v1/things", "things.read", taken, "x")])


def header(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest_asyncio.fixture(loop_scope="session")
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    api = ApiServer(tmp_path)
    async with await api.start():
        write_trust(tmp_path / "trust.json", [PrivateKey.generate("gateway")])
        for name, value in {
            "HAL9_BROKER_PROOF": "oidc",
            "HAL9_BROKER_SUBJECTS": TRIGGER,
            "HAL9_DEAD_LETTER_SUBJECTS": f"{TRIGGER}, {OTHER_TRIGGER}",
            "HAL9_KUBERNETES_URL": api.url,
            "HAL9_KUBERNETES_TOKEN": str(api.pod_token),
            "HAL9_KUBERNETES_CA": str(api.ca),
            "HAL9_TRUST": str(tmp_path / "trust.json"),
        }.items():
            monkeypatch.setenv(name, value)
        yield api


async def test_an_account_delivers_just_where_its_trigger_does(api: ApiServer) -> None:
    async with client_of(worker()) as client:
        answers = {
            (path, subject): (await client.post(path, headers=header(account_token(subject)))).status_code
            for path in ("/events", "/dead-letters")
            for subject in (TRIGGER, OTHER_TRIGGER, TRIGGER.replace(":hal9:", ":evil:"))
        }
    assert list(answers.values()) == [202, 403, 401, 202, 202, 401]
    assert len(api.asked) == 1


async def test_whoever_is_not_the_broker_is_401_with_a_problem_document(api: ApiServer, tmp_path: Path) -> None:
    broker = Issuer(PrivateKey.generate("broker"))
    unproven = {
        "nothing": {},
        "a foreign account, right audience": header(account_token("system:serviceaccount:hal9:gateway")),
        "a right account, foreign audience": header(account_token(audience="hal9/neuron")),
        "expired": header(account_token(exp=int(time.time()) - 60)),
        "not yet": header(account_token(nbf=int(time.time()) + 60)),
        "another issuer": header(account_token(iss="https://attacker.example")),
        "the local platform's proof": header(broker.mint("worker")),
        "basic": {"authorization": "Basic YnJva2VyOnM="},
        "the shared secret": {"x": "y"},
    }
    async with client_of(worker()) as client:
        for about, headers in unproven.items():
            target = f"/events?proof={SECRET}" if about == "the shared secret" else "/events"
            answer = await client.post(target, headers=headers)
            assert answer.status_code == 401, about
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["type"].startswith("urn:hal9:problem:credentials-")


async def test_the_clusters_tokens_open_nothing_but_deliveries(api: ApiServer) -> None:
    async with client_of(worker()) as client:
        answer = await client.get("/v1/things", headers=header(account_token()))
    assert answer.status_code == 401


async def test_it_is_ready_when_the_keys_are_here_and_asks_with_the_renewed_token(api: ApiServer) -> None:
    api.status = 500
    function = worker()
    with pytest.raises(Exception, match="the API server answered 500"):
        await function.check()
    async with client_of(function) as client:
        undecided = await client.post("/events", headers=header(account_token()))
    assert (undecided.status_code, undecided.headers["retry-after"]) == (503, "2")
    api.status = 200
    renewed = worker()
    api.pod_token.write_text(account_token("system:serviceaccount:hal9:worker", "api", jti="2"))
    await renewed.check()
    await renewed.check()
    assert len(api.asked) == 2


async def test_a_server_that_only_claims_to_be_the_api_server_is_not_believed(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = _certificates(tmp_path, "other")
    monkeypatch.setenv("HAL9_KUBERNETES_CA", str(other))
    with pytest.raises(Exception, match="cannot be fetched"):
        await worker().check()
    assert api.asked == []


@pytest.mark.parametrize("missing", ["HAL9_KUBERNETES_TOKEN", "HAL9_KUBERNETES_CA"])
async def test_what_the_proof_needs_is_named(api: ApiServer, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match=missing):
        await worker().check()


async def test_without_any_account_nobody_could_deliver_which_is_said(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAL9_BROKER_SUBJECTS")
    monkeypatch.delenv("HAL9_DEAD_LETTER_SUBJECTS")
    with pytest.raises(RuntimeError, match="HAL9_BROKER_SUBJECTS"):
        await worker().check()


@pytest.fixture
def shared_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAL9_BROKER_PROOF", "secret")
    monkeypatch.setenv("HAL9_BROKER_SECRET", f"{SECRET},{'t' * 43}")


@pytest.mark.usefixtures("shared_secret")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?proof=", 401),
        (f"?proof={SECRET[:-1]}", 401),
        (f"?proof={SECRET}s", 401),
        (f"?proof={SECRET},{'t' * 43}", 401),
        (f"?proof={SECRET}&proof={SECRET}", 401),
        ("?proof=%ff%f0", 401),
        (f"?Proof={SECRET}", 401),
        (f"?proof={SECRET}", 202),
        (f"?proof={'t' * 43}", 202),
    ],
)
async def test_with_a_shared_secret_the_address_is_the_proof(query: str, status: int) -> None:
    function = worker()
    await function.check()
    async with client_of(function) as client:
        answer = await client.post(f"/events{query}", headers=header(account_token()))
    assert answer.status_code == status
    assert SECRET[:-1] not in answer.text


@pytest.mark.parametrize("secret", [None, "short", f"{SECRET},", f"{SECRET},short"])
async def test_a_secret_that_is_none_is_refused(secret: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAL9_BROKER_PROOF", "secret")
    monkeypatch.setenv("HAL9_BROKER_SECRET", secret or "")
    with pytest.raises(RuntimeError, match="HAL9_BROKER_SECRET"):
        await worker().check()
