"""Attacks on the proof of Knative's broker: tokens of accounts that are forged, borrowed, stale or of another shape."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.keys import base64url
from shared.keys.published import OLD_SECONDS, REFETCH_SECONDS, RETRY_SECONDS, KeysUnavailableError, PublishedKeys
from shared.tokens.accounts import AccountClaims, AccountVerifier, NotGenuineError, issuer_of

if TYPE_CHECKING:
    from collections.abc import Callable

CLUSTER = rsa.generate_private_key(65537, 2048)
NEXT = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
ISSUER = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "system:serviceaccount:hal9:codegen-run-ended-oidc-eventing.knative.dev-trigger"
SUBJECTS = frozenset({SUBJECT})
AUDIENCE = "hal9/codegen"
NOW = int(ManualClock().now().timestamp())
HEADER: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
CLAIMS: dict[str, Any] = {
    "aud": [AUDIENCE],
    "exp": NOW + 3600,
    "iat": NOW,
    "iss": ISSUER,
    "jti": "5a3c",
    "kubernetes.io": {"namespace": "hal9", "serviceaccount": {"name": SUBJECT.rpartition(":")[2], "uid": "u"}},
    "nbf": NOW,
    "sub": SUBJECT,
}
ABSENT = object()


def number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: rsa.RSAPrivateKey, kid: str, **members: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    whole = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}
    return changed(whole, **members)


def key_set(*members: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(members)}).encode()


def signing(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {name: value for name, value in {**document, **members}.items() if value is not ABSENT}


def compact(
    header: dict[str, Any] | bytes = HEADER,
    claims: dict[str, Any] | bytes = CLAIMS,
    sign: Callable[[bytes], bytes] = signing(CLUSTER),  # noqa: B008 - the same for every call
) -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(base64url.encode(part) for part in parts)
    return f"{signed}.{base64url.encode(sign(signed.encode()))}"


class ApiServer:
    """What publishes the cluster's keys; counts how often it is asked."""

    def __init__(self, *members: dict[str, Any]) -> None:
        self.answer: bytes | OSError = key_set(*members)
        self.asked = 0

    async def fetch(self) -> bytes:
        self.asked += 1
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


class Cluster:
    """A cluster's keys and a function's verifier for its tokens."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.server = ApiServer(jwk(CLUSTER, "k1"))
        self.keys = PublishedKeys(self.server.fetch, self.clock)
        self.verifier = AccountVerifier(self.keys, ISSUER, AUDIENCE, self.clock)

    async def verify(self, token: str) -> AccountClaims:
        return await self.verifier.verify(token, SUBJECTS)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


GENUINE = compact()
HEAD, BODY, SIGNATURE = GENUINE.split(".")


async def test_the_genuine_token_is_taken_so_that_the_refusals_below_mean_something(cluster: Cluster) -> None:
    claims = await cluster.verify(GENUINE)
    assert (claims.subject, claims.audience, claims.token_id) == (SUBJECT, AUDIENCE, "5a3c")
    await cluster.verify(compact(changed(HEADER, typ="JWT")))
    await cluster.verify(compact(claims=changed(CLAIMS, aud=AUDIENCE)))
    await cluster.verify(compact(claims=changed(CLAIMS, nbf=NOW + 5, iat=NOW + 5)))
    await cluster.verify(compact(claims=changed(CLAIMS, exp=NOW - 4)))


async def test_what_pyjwt_mints_is_taken_and_what_we_take_pyjwt_takes(cluster: Cluster) -> None:
    token = jwt.encode(CLAIMS, CLUSTER, "RS256", headers={"kid": "k1"})
    assert (await cluster.verify(token)).subject == SUBJECT
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(GENUINE, CLUSTER.public_key(), ["RS256"], audience=AUDIENCE, options=options) == CLAIMS


def keyed(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


PUBLIC = CLUSTER.public_key()
PEM = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
PKCS1 = PUBLIC.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
ECDSA = ec.generate_private_key(ec.SECP256R1())
MINE = signing(CLUSTER)

ODD_KIDS: list[Any] = ["", "k2", "../../../dev/null", "' OR 1=1 --", "k1\x00", "K1", None, 7, ["k1"], {}, "k" * 600]
HEADERS: dict[str, dict[str, Any] | bytes] = {
    **{f"alg {name!r}": changed(HEADER, alg=name) for name in ("none", "None", "NONE", "", "rs256", "RS384", "PS256")},
    **{f"alg {value!r}": changed(HEADER, alg=value) for value in (None, 1, ["RS256"], True)},
    "no alg": changed(HEADER, alg=ABSENT),
    "no kid": changed(HEADER, kid=ABSENT),
    **{f"kid {kid!r}": changed(HEADER, kid=kid) for kid in ODD_KIDS},
    "jwk": changed(HEADER, jwk=jwk(STRANGER, "k1")),
    "jku": changed(HEADER, jku="https://attacker.example/keys"),
    "x5u": changed(HEADER, x5u="https://attacker.example/cert"),
    "x5c": changed(HEADER, x5c=["MIIB"]),
    "crit": changed(HEADER, crit=["exp"], exp=NOW),
    "b64 false": changed(HEADER, b64=False, crit=["b64"]),
    "typ of another kind": changed(HEADER, typ="at+jwt"),
    "duplicate alg": b'{"alg":"none","alg":"RS256","kid":"k1"}',
    "not an object": b'["RS256"]',
    "not JSON": b"RS256",
    "invalid UTF-8": b'{"alg":"\xff"}',
    "deep": b"[" * 350,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("sign", [MINE, lambda message: b""], ids=["signed", "empty signature"])
async def test_a_header_that_is_not_the_clusters_is_refused(
    cluster: Cluster, header: dict[str, Any] | bytes, sign: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(NotGenuineError):
        await cluster.verify(compact(header, sign=sign))


SIGNERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "HS256 with the PEM": ("HS256", keyed(PEM)),
    "HS256 with PKCS #1": ("HS256", keyed(PKCS1)),
    "HS256 with the JWK's n": ("HS256", keyed(str(jwk(CLUSTER, "k1")["n"]).encode())),
    "HS256 with an empty secret": ("HS256", keyed(b"")),
    "PS256": ("PS256", lambda m: CLUSTER.sign(m, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())),
    "RS512": ("RS512", lambda m: CLUSTER.sign(m, padding.PKCS1v15(), hashes.SHA512())),
    "RS1": ("RS1", lambda m: CLUSTER.sign(m, padding.PKCS1v15(), hashes.SHA1())),
    "ES256": ("ES256", lambda m: ECDSA.sign(m, ec.ECDSA(hashes.SHA256()))),
    "a stranger": ("RS256", signing(STRANGER)),
    "zeros": ("RS256", lambda m: bytes(256)),
    "of something else": ("RS256", lambda m: MINE(m + b".")),
    "short": ("RS256", lambda m: MINE(m)[:-1]),
    "long": ("RS256", lambda m: MINE(m) + b"\x00"),
    # RSA takes s + n for s: RFC 8017 section 5.2.2 asks that s is below n, so that a message has one signature.
    "plus the modulus": (
        "RS256",
        lambda m: (int.from_bytes(MINE(m), "big") + PUBLIC.public_numbers().n).to_bytes(257, "big"),
    ),
}


@pytest.mark.parametrize("named", ["as it is", "as RS256"])
@pytest.mark.parametrize(("algorithm", "sign"), SIGNERS.values(), ids=SIGNERS.keys())
async def test_another_signature_is_refused(
    cluster: Cluster, algorithm: str, sign: Callable[[bytes], bytes], named: str
) -> None:
    with pytest.raises(NotGenuineError):
        await cluster.verify(compact(changed(HEADER, alg="RS256" if named == "as RS256" else algorithm), sign=sign))


FORMS: dict[str, str] = {
    "nothing": "",
    "one part": HEAD,
    "no signature": f"{HEAD}.{BODY}.",
    "four parts": f"{GENUINE}.{SIGNATURE}",
    "JSON serialisation": json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    "padding": f"{GENUINE}==",
    "a line feed at the end": f"{GENUINE}\n",
    "left-over bits": GENUINE[:-1] + chr(ord(GENUINE[-1]) + 1),
    "not ASCII": f"{GENUINE[:-1]}é",
    "huge": compact(claims=changed(CLAIMS, padding="s" * 100_000)),
}


@pytest.mark.parametrize("token", FORMS.values(), ids=FORMS.keys())
async def test_another_form_is_refused(cluster: Cluster, token: str) -> None:
    with pytest.raises(NotGenuineError):
        await cluster.verify(token)


BAD_CLAIMS: dict[str, dict[str, Any] | bytes] = {
    **{f"no {name}": changed(CLAIMS, **{name: ABSENT}) for name in ("iss", "aud", "sub", "iat", "exp")},
    **{f"{name} {value!r}": changed(CLAIMS, **{name: value}) for name in ("iss", "sub") for value in ("", 1, None)},
    **{
        f"exp {value!r}": changed(CLAIMS, exp=value)
        for value in (NOW - 6, 0, -1, str(NOW + 60), NOW + 60.5, None, True)
    },
    **{f"nbf {value!r}": changed(CLAIMS, nbf=value) for value in (NOW + 6, NOW + 3600, str(NOW), None, -1)},
    **{f"iat {value!r}": changed(CLAIMS, iat=value) for value in (NOW + 6, -1, str(NOW), None, False)},
    "iss of another cluster": changed(CLAIMS, iss="https://kubernetes.default.svc"),
    "iss with a slash": changed(CLAIMS, iss=ISSUER + "/"),
    "aud of another function": changed(CLAIMS, aud=["hal9/neuron"]),
    "aud of the API server": changed(CLAIMS, aud=[ISSUER]),
    "aud of two": changed(CLAIMS, aud=[AUDIENCE, "somebody"]),
    "aud twice": changed(CLAIMS, aud=[AUDIENCE, AUDIENCE]),
    "aud of none": changed(CLAIMS, aud=[]),
    "aud in a list in a list": changed(CLAIMS, aud=[[AUDIENCE]]),
    "aud as an object": changed(CLAIMS, aud={AUDIENCE: True}),
    "sub of a function": changed(CLAIMS, sub="system:serviceaccount:hal9:gateway"),
    "sub of another namespace": changed(CLAIMS, sub=SUBJECT.replace(":hal9:", ":evil:")),
    "sub that begins like ours": changed(CLAIMS, sub=SUBJECT + "x"),
    "sub of Eventing itself": changed(CLAIMS, sub="system:serviceaccount:knative-eventing:imc-dispatcher"),
    "sub as a list": changed(CLAIMS, sub=[SUBJECT]),
    "duplicate sub": json.dumps(changed(CLAIMS, sub="x"))[:-1].encode() + f', "sub": "{SUBJECT}"}}'.encode(),
    "duplicate aud, escaped": json.dumps(CLAIMS)[:-1].encode() + b', "\\u0061ud": "hal9/codegen"}',
    "NaN": json.dumps(changed(CLAIMS, exp=ABSENT))[:-1].encode() + b', "exp": Infinity}',
    "not an object": b"[]",
    "invalid UTF-8": b'{"iss":"\xff"}',
    "deep": b'{"a":' + b"[" * 3000,
    "empty": b"",
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
async def test_claims_that_are_wrong_are_refused_even_when_signed(
    cluster: Cluster, claims: dict[str, Any] | bytes
) -> None:
    with pytest.raises(NotGenuineError):
        await cluster.verify(compact(claims=claims))


async def test_a_remembered_token_is_still_held_to_its_time_and_subject(cluster: Cluster) -> None:
    await cluster.verify(GENUINE)
    with pytest.raises(NotGenuineError):
        await cluster.verifier.verify(GENUINE, {"somebody"})
    cluster.clock.advance(3606)
    with pytest.raises(NotGenuineError, match="not current"):
        await cluster.verify(GENUINE)


async def test_the_keys_are_fetched_once_and_a_flood_of_unknown_ids_fetches_once_in_a_while(cluster: Cluster) -> None:
    for number in range(100):
        with pytest.raises(NotGenuineError):
            await cluster.verify(compact(changed(HEADER, kid=f"x{number}")))
    assert cluster.server.asked == 1
    cluster.clock.advance(REFETCH_SECONDS)
    for number in range(100):
        with pytest.raises(NotGenuineError):
            await cluster.verify(compact(changed(HEADER, kid=f"y{number}")))
    await cluster.verify(GENUINE)
    assert cluster.server.asked == 2


async def test_a_new_key_of_the_cluster_is_found_at_its_first_token(cluster: Cluster) -> None:
    await cluster.verify(GENUINE)
    cluster.server.answer = key_set(jwk(CLUSTER, "k1"), jwk(NEXT, "k2"))
    cluster.clock.advance(REFETCH_SECONDS)
    await cluster.verify(compact(changed(HEADER, kid="k2"), sign=signing(NEXT)))
    assert cluster.server.asked == 2


async def test_a_withdrawn_key_is_believed_no_longer_than_a_set_is_fresh(cluster: Cluster) -> None:
    await cluster.verify(GENUINE)
    cluster.server.answer = key_set(jwk(NEXT, "k2"))
    cluster.clock.advance(OLD_SECONDS)
    await cluster.verify(compact(changed(HEADER, kid="k1")))  # begins the fetch, and does not wait for it
    await cluster.keys.find("k2")
    with pytest.raises(NotGenuineError):
        await cluster.verify(GENUINE)


async def test_while_the_api_server_is_away_known_keys_stay_good_and_unknown_ones_are_undecided(
    cluster: Cluster,
) -> None:
    await cluster.verify(GENUINE)
    cluster.server.answer = ConnectionRefusedError("away")
    cluster.clock.advance(OLD_SECONDS)
    with pytest.raises(KeysUnavailableError):
        await cluster.verify(compact(changed(HEADER, kid="k2"), sign=signing(NEXT)))
    await cluster.verify(GENUINE)
    cluster.server.answer = key_set(jwk(CLUSTER, "k1"), jwk(NEXT, "k2"))
    cluster.clock.advance(RETRY_SECONDS)
    await cluster.verify(compact(changed(HEADER, kid="k2"), sign=signing(NEXT)))


async def test_nothing_is_ready_before_the_keys_are_here(cluster: Cluster) -> None:
    cluster.server.answer = TimeoutError("away")
    for _ in range(50):
        with pytest.raises(KeysUnavailableError):
            await cluster.keys.warm()
    assert cluster.server.asked == 1
    cluster.server.answer = key_set(jwk(CLUSTER, "k1"))
    cluster.clock.advance(RETRY_SECONDS)
    await cluster.keys.warm()
    await cluster.keys.warm()
    assert cluster.server.asked == 2


WEAK = rsa.generate_private_key(65537, 1024)
SETS: dict[str, bytes] = {
    "a weak key": key_set(jwk(WEAK, "k1")),
    "an even exponent": key_set(jwk(CLUSTER, "k1", e=number(65536))),
    "the exponent 1": key_set(jwk(CLUSTER, "k1", e=number(1))),
    "two keys of the same id": key_set(jwk(CLUSTER, "k1"), jwk(STRANGER, "k1")),
    "no id": key_set(changed(jwk(CLUSTER, "k1"), kid=ABSENT)),
    "no numbers": key_set(jwk(CLUSTER, "k1", n=ABSENT)),
    "padding": key_set(jwk(CLUSTER, "k1", e="AQAB==")),
    "no list": b'{"keys": {}}',
    "a list of texts": b'{"keys": ["k1"]}',
    "duplicate keys": b'{"keys": [], "keys": []}',
    "no JSON": b"<html>",
    "too long": key_set(jwk(CLUSTER, "k1")) + b" " * (256 << 10),
}


@pytest.mark.parametrize("served", SETS.values(), ids=SETS.keys())
async def test_a_malformed_or_weak_key_set_is_none(cluster: Cluster, served: bytes) -> None:
    cluster.server.answer = served
    with pytest.raises(KeysUnavailableError):
        await cluster.verify(GENUINE)


@pytest.mark.parametrize(
    "members",
    [{"kty": "EC"}, {"use": "enc"}, {"alg": "PS256"}, {"alg": "HS256"}, {"key_ops": ["sign"]}],
    ids=lambda members: str(members),
)
async def test_keys_for_something_else_verify_nothing(cluster: Cluster, members: dict[str, Any]) -> None:
    cluster.server.answer = key_set(jwk(CLUSTER, "k1", **members))
    with pytest.raises(KeysUnavailableError, match="no key for RS256"):
        await cluster.verify(GENUINE)
    cluster.server.answer = key_set(jwk(CLUSTER, "k1", **members), jwk(NEXT, "k2"))
    cluster.clock.advance(RETRY_SECONDS)
    with pytest.raises(NotGenuineError):
        await cluster.verify(GENUINE)


@settings(max_examples=300)
@given(st.integers(0, len(GENUINE) - 1), st.characters(max_codepoint=127))
async def test_no_single_character_of_a_token_can_change(index: int, character: str) -> None:
    token = GENUINE[:index] + character + GENUINE[index + 1 :]
    if token != GENUINE:
        with pytest.raises(NotGenuineError):
            await Cluster().verify(token)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f"{HEAD}.{base64url.encode(raw)}.{SIGNATURE}"))
async def test_no_text_is_anything_but_refused(token: str) -> None:
    with pytest.raises(NotGenuineError):
        await Cluster().verify(token)


def test_the_issuer_is_that_of_our_own_token() -> None:
    assert issuer_of(GENUINE + "\n") == ISSUER
    for token in ("", "a.b", compact(claims=changed(CLAIMS, iss=1))):
        with pytest.raises(ValueError):  # noqa: PT011 - several texts
            issuer_of(token)
