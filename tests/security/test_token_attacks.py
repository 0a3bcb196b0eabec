"""The attacks on tokens that the notes on identity list: every one is a 401, and every 401 looks the same."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.keys import PrivateKey, PublicKey, Trust, base64url
from shared.keys.trust import LOOK_AGAIN_SECONDS, write_trust
from shared.problems import Problem
from shared.tokens import Issuer, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLOCK = ManualClock()
NOW = int(CLOCK.now().timestamp())
GATEWAY = PrivateKey.from_seed(bytes([1]) * 32, "gateway")
BROKER = PrivateKey.from_seed(bytes([2]) * 32, "broker")
STRANGER = PrivateKey.from_seed(bytes([3]) * 32, "gateway")
TRUST = Trust([PublicKey.of(GATEWAY), PublicKey.of(BROKER)])

HEADER: dict[str, Any] = {"alg": "EdDSA", "kid": GATEWAY.kid, "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": "gateway",
    "aud": "neuron",
    "sub": "key:a",
    "iat": NOW,
    "exp": NOW + 60,
    "jti": "1",
    "org": "01890000-0000-7000-8000-000000000001",
    "roles": ["developer"],
    "scope": ["runs.read"],
    "region": "us-west",
}
ABSENT = object()


def compact(
    header: dict[str, Any] | bytes = HEADER,
    claims: dict[str, Any] | bytes = CLAIMS,
    sign: Callable[[bytes], bytes] = GATEWAY.sign,
) -> str:
    """Build a token with any header, payload and signature."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(base64url.encode(part) for part in parts)
    return f"{signed}.{base64url.encode(sign(signed.encode()))}"


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {name: value for name, value in {**document, **members}.items() if value is not ABSENT}


def verify(token: str) -> None:
    Verifier(TRUST, CLOCK).verify(token, "neuron", ["gateway"])


PEM = GATEWAY.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = GATEWAY.public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
RAW = GATEWAY.public.public_bytes_raw()
RSA = rsa.generate_private_key(65537, 2048)
ECDSA = ec.generate_private_key(ec.SECP256R1())


def keyed(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


def pkcs1(message: bytes) -> bytes:
    return RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())


def pss(message: bytes) -> bytes:
    return RSA.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def nothing(message: bytes) -> bytes:
    return b""


GENUINE = compact()
HEAD, BODY, SIGNATURE = GENUINE.split(".")
STRANGER_JWK = {"kty": "OKP", "crv": "Ed25519", "x": STRANGER.x}

ODD_KIDS: list[Any] = [
    "",
    "../../../dev/null",
    "' OR 1=1 --",
    "unknown",
    GATEWAY.kid + "\x00",
    None,
    7,
    [GATEWAY.kid],
    {},
]
HEADERS: dict[str, dict[str, Any] | bytes] = {
    **{f"alg {name}": changed(HEADER, alg=name) for name in ("none", "None", "NONE", "nOnE", "", "eddsa", "Ed25519")},
    **{f"alg {value!r}": changed(HEADER, alg=value) for value in (None, 1, ["EdDSA"], True)},
    "no alg": changed(HEADER, alg=ABSENT),
    "no kid": changed(HEADER, kid=ABSENT),
    "no typ": changed(HEADER, typ=ABSENT),
    "typ of another kind": changed(HEADER, typ="at+jwt"),
    "jwk": changed(HEADER, jwk=STRANGER_JWK),
    "jku": changed(HEADER, jku="https://attacker.example/keys"),
    "x5u": changed(HEADER, x5u="https://attacker.example/cert"),
    "x5c": changed(HEADER, x5c=["MIIB"]),
    "unknown crit": changed(HEADER, crit=["exp"], exp=NOW),
    "empty crit": changed(HEADER, crit=[]),
    "b64 false": changed(HEADER, b64=False, crit=["b64"]),
    "zip": changed(HEADER, zip="DEF"),
    "cty": changed(HEADER, cty="JWT"),
    **{f"kid {kid!r}": changed(HEADER, kid=kid) for kid in ODD_KIDS},
    "kid of another issuer": changed(HEADER, kid=BROKER.kid),
    "duplicate alg": f'{{"alg":"none","alg":"EdDSA","kid":"{GATEWAY.kid}","typ":"JWT"}}'.encode(),
    "not an object": b'["EdDSA"]',
    "not JSON": b"EdDSA",
    "invalid UTF-8": b'{"alg":"\xff"}',
    "deep": b"[" * 350,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("sign", [GATEWAY.sign, nothing], ids=["signed", "empty signature"])
def test_a_header_that_is_not_ours_is_refused(header: dict[str, Any] | bytes, sign: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Problem, match="401"):
        verify(compact(header, sign=sign))


SIGNERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "HS256 with the PEM": ("HS256", keyed(PEM)),
    "HS256 with the DER": ("HS256", keyed(DER)),
    "HS256 with the raw key": ("HS256", keyed(RAW)),
    "HS256 with the JWK's x": ("HS256", keyed(GATEWAY.x.encode())),
    "HS256 with an empty secret": ("HS256", keyed(b"")),
    "HS256 with a short secret": ("HS256", keyed(b"secret")),
    "RS256": ("RS256", pkcs1),
    "PS256": ("PS256", pss),
    "RS256 named, PS256 made": ("RS256", pss),
    "PS256 named, RS256 made": ("PS256", pkcs1),
    "ES256": ("ES256", lambda message: ECDSA.sign(message, ec.ECDSA(hashes.SHA256()))),
    "ES256 of zeros": ("ES256", lambda message: bytes(64)),
}


@pytest.mark.parametrize("named", ["as it is", "as EdDSA"])
@pytest.mark.parametrize(("algorithm", "sign"), SIGNERS.values(), ids=SIGNERS.keys())
def test_another_algorithm_is_refused(algorithm: str, sign: Callable[[bytes], bytes], named: str) -> None:
    header = HEADER if named == "as EdDSA" else changed(HEADER, alg=algorithm)
    with pytest.raises(Problem, match="401"):
        verify(compact(header, sign=sign))


SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": nothing,
    "zeros": lambda message: bytes(64),
    "short": lambda message: GATEWAY.sign(message)[:63],
    "long": lambda message: GATEWAY.sign(message) + b"\x00",
    "a stranger's": STRANGER.sign,
    "the broker's": BROKER.sign,
    "of something else": lambda message: GATEWAY.sign(message + b"."),
    # RFC 8032 section 5.1.7: S must be below the group's order; S + L would be a second signature of the same message.
    "malleable": lambda message: _plus_order(GATEWAY.sign(message)),
}
_ORDER = 2**252 + 27742317777372353535851937790883648493


def _plus_order(signature: bytes) -> bytes:
    return signature[:32] + (int.from_bytes(signature[32:], "little") + _ORDER).to_bytes(32, "little")


@pytest.mark.parametrize("sign", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_a_signature_that_is_not_the_keys_is_refused(sign: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Problem, match="401"):
        verify(compact(sign=sign))


FORMS: dict[str, str] = {
    "nothing": "",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "no signature": f"{HEAD}.{BODY}.",
    "four parts": f"{GENUINE}.{SIGNATURE}",
    "five parts, as JWE": f"{HEAD}.{BODY}.{BODY}.{BODY}.{SIGNATURE}",
    "JSON serialisation": json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    "padding": f"{HEAD}.{BODY}.{SIGNATURE}==",
    "white space": f" {GENUINE}",
    "a line feed at the end": f"{GENUINE}\n",
    "plain base64": f"{HEAD}.{BODY}.{SIGNATURE}".replace("-", "+").replace("_", "/") + "+",
    "left-over bits": GENUINE[:-1] + chr(ord(GENUINE[-1]) + 1),
    "not ASCII": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}é",
    "an API key": "hal9_abcdefghijkl_" + "A" * 43,
    "too long": compact(claims=changed(CLAIMS, sub="s" * 9000)),
}


@pytest.mark.parametrize("token", FORMS.values(), ids=FORMS.keys())
def test_another_form_is_refused(token: str) -> None:
    with pytest.raises(Problem, match="401"):
        verify(token)


BAD_CLAIMS: dict[str, dict[str, Any] | bytes] = {
    **{f"no {name}": changed(CLAIMS, **{name: ABSENT}) for name in ("iss", "aud", "sub", "iat", "exp", "jti")},
    **{f"empty {name}": changed(CLAIMS, **{name: ""}) for name in ("iss", "aud", "sub", "jti")},
    **{f"{name} as a number": changed(CLAIMS, **{name: 1}) for name in ("iss", "aud", "sub", "jti", "org")},
    **{
        f"exp {value!r}": changed(CLAIMS, exp=value)
        for value in (NOW - 6, 0, -1, NOW + 61, NOW + 10**6, str(NOW + 60), NOW + 30.5, None, True, 10**30)
    },
    **{
        f"iat {value!r}": changed(CLAIMS, iat=value)
        for value in (NOW + 6, NOW + 60, NOW + 61, -1, str(NOW), NOW + 0.5, None, False)
    },
    "expired": changed(CLAIMS, iat=NOW - 66, exp=NOW - 6),
    "exp before iat": changed(CLAIMS, iat=NOW + 3, exp=NOW + 2),
    "nbf": changed(CLAIMS, nbf=NOW + 30),
    "aud of another function": changed(CLAIMS, aud="codegen"),
    "aud with a suffix": changed(CLAIMS, aud="neuron-l4"),
    "aud as a list": changed(CLAIMS, aud=["neuron"]),
    "aud as a list of two": changed(CLAIMS, aud=["neuron", "codegen"]),
    "iss of another": changed(CLAIMS, iss="broker"),
    "iss with a suffix": changed(CLAIMS, iss="gateway/"),
    "iss in another case": changed(CLAIMS, iss="Gateway"),
    "org that is no UUID": changed(CLAIMS, org="acme"),
    "scope as a text": changed(CLAIMS, scope="runs.read"),
    "scope of numbers": changed(CLAIMS, scope=[1]),
    "roles as an object": changed(CLAIMS, roles={"owner": True}),
    "duplicate exp": json.dumps(CLAIMS)[:-1].encode() + f', "exp": {NOW + 30}}}'.encode(),
    "duplicate org, escaped": json.dumps(CLAIMS)[:-1].encode()
    + b', "o\\u0072g": "01890000-0000-7000-8000-000000000009"}',
    "NaN": b'{"iss":"gateway","aud":"neuron","sub":"s","jti":"1","iat":NaN,"exp":Infinity}',
    "not an object": b"[]",
    "invalid UTF-8": b'{"iss":"\xff"}',
    "deep": b'{"a":' + b"[" * 3000,
    "a huge number": b'{"iat":' + b"9" * 5000 + b"}",
    "empty": b"",
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_claims_that_are_wrong_are_refused_even_when_signed(claims: dict[str, Any] | bytes) -> None:
    with pytest.raises(Problem, match="401"):
        verify(compact(claims=claims))


def test_a_trusted_key_does_not_speak_for_another_issuer() -> None:
    header = changed(HEADER, kid=BROKER.kid)
    with pytest.raises(Problem, match="401"):
        verify(compact(header, CLAIMS, BROKER.sign))
    with pytest.raises(Problem, match="401"):
        verify(compact(header, changed(CLAIMS, iss="broker"), BROKER.sign))


def test_the_genuine_token_is_accepted_so_that_the_refusals_above_mean_something() -> None:
    verify(GENUINE)
    verify(compact(claims=changed(CLAIMS, iat=NOW + 5, exp=NOW + 65)))
    verify(compact(claims=changed(CLAIMS, iat=NOW - 64, exp=NOW - 4)))


def test_all_refusals_look_the_same() -> None:
    seen = set()
    for token in (compact(HEADERS["alg none"]), compact(sign=nothing), compact(claims=BAD_CLAIMS["expired"]), "x"):
        with pytest.raises(Problem) as caught:
            verify(token)
        seen.add((caught.value.encode(), tuple(caught.value.headers.items())))
    assert len(seen) == 1


def test_a_flood_of_unknown_key_ids_reads_the_trust_file_once_in_a_while(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "trust.json"
    write_trust(path, [GATEWAY])
    trust = Trust.load(path, clock)
    verifier = Verifier(trust, clock)
    generation = trust.generation
    path.unlink()
    write_trust(path, [GATEWAY, BROKER])
    for number in range(100):
        with pytest.raises(Problem):
            verifier.verify(compact(changed(HEADER, kid=f"k{number}")), "neuron", ["gateway"])
    assert trust.generation == generation
    clock.advance(LOOK_AGAIN_SECONDS)
    with pytest.raises(Problem):
        verifier.verify(compact(changed(HEADER, kid="k")), "neuron", ["gateway"])
    assert trust.generation == generation + 1


def test_a_withdrawn_key_ends_its_tokens_although_they_are_remembered(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "trust.json"
    write_trust(path, [GATEWAY, STRANGER])
    verifier = Verifier(Trust.load(path, clock), clock)
    token = Issuer(STRANGER, clock).mint("neuron")
    verifier.verify(token, "neuron", ["gateway"])
    write_trust(path, [GATEWAY])
    clock.advance(LOOK_AGAIN_SECONDS)
    with pytest.raises(Problem):
        verifier.verify(token, "neuron", ["gateway"])


@settings(max_examples=300)
@given(st.integers(0, len(GENUINE) - 1), st.characters(max_codepoint=127))
def test_no_single_character_of_a_token_can_change(index: int, character: str) -> None:
    token = GENUINE[:index] + character + GENUINE[index + 1 :]
    if token != GENUINE:
        with pytest.raises(Problem, match="401"):
            verify(token)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f"{HEAD}.{base64url.encode(raw)}.{SIGNATURE}"))
def test_no_text_is_anything_but_a_401(token: str) -> None:
    with pytest.raises(Problem, match="401"):
        verify(token)
