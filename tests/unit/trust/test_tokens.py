"""Tokens: what is minted is what is verified, and PyJWT agrees."""

from __future__ import annotations

from uuid import UUID

import jwt
import pytest

from shared.clock import ManualClock
from shared.keys import PrivateKey, PublicKey, Trust
from shared.permissions import Principal
from shared.problems import Problem
from shared.tokens import LIFETIME_SECONDS, Issuer, Verifier

GATEWAY = PrivateKey.from_seed(bytes([1]) * 32, "gateway")
BROKER = PrivateKey.from_seed(bytes([2]) * 32, "broker")
ASKER = Principal(
    UUID("01890000-0000-7000-8000-000000000001"),
    "key:abcdefghijkl",
    ("developer",),
    frozenset({"runs.create", "runs.read"}),
    "us-west",
    UUID("01890000-0000-7000-8000-000000000002"),
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(clock: ManualClock) -> Verifier:
    return Verifier(Trust([PublicKey.of(GATEWAY), PublicKey.of(BROKER)]), clock)


def test_a_request_token_carries_the_principal_and_only_the_scope_that_was_granted(
    clock: ManualClock, verifier: Verifier
) -> None:
    claims = verifier.verify(Issuer(GATEWAY, clock).mint("neuron", ASKER, ["runs.read"]), "neuron", ["gateway"])
    assert claims.scope == {"runs.read"}
    principal = claims.principal()
    assert principal is not None
    assert (principal.org_id, principal.subject, principal.roles, principal.region, principal.key_id) == (
        ASKER.org_id,
        ASKER.subject,
        ASKER.roles,
        ASKER.region,
        ASKER.key_id,
    )


def test_the_parts_own_tokens_name_no_organisation(clock: ManualClock, verifier: Verifier) -> None:
    claims = verifier.verify(Issuer(BROKER, clock).mint("codegen"), "codegen", ["broker"])
    assert (claims.subject, claims.scope, claims.principal()) == ("broker", frozenset(), None)


def test_every_token_has_its_own_id(clock: ManualClock, verifier: Verifier) -> None:
    issuer = Issuer(GATEWAY, clock)
    ids = {verifier.verify(issuer.mint("neuron"), "neuron", ["gateway"]).token_id for _ in range(10)}
    assert len(ids) == 10


def test_pyjwt_reads_what_we_mint() -> None:
    token = Issuer(GATEWAY).mint("neuron", ASKER, ["runs.read"])
    claims = jwt.decode(
        token,
        GATEWAY.public,
        algorithms=["EdDSA"],
        audience="neuron",
        issuer="gateway",
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
    )
    assert claims["org"] == str(ASKER.org_id)
    assert claims["exp"] - claims["iat"] == LIFETIME_SECONDS
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": GATEWAY.kid, "typ": "JWT"}


def test_we_read_what_pyjwt_mints(clock: ManualClock, verifier: Verifier) -> None:
    now = int(clock.now().timestamp())
    payload = {"iss": "gateway", "aud": "neuron", "sub": "s", "jti": "1", "iat": now, "exp": now + 60}
    private = GATEWAY._key
    token = jwt.encode(payload, private, algorithm="EdDSA", headers={"kid": GATEWAY.kid})
    assert verifier.verify(token, "neuron", ["gateway"]).subject == "s"


def test_a_remembered_token_is_still_held_to_audience_issuer_and_time(clock: ManualClock, verifier: Verifier) -> None:
    token = Issuer(GATEWAY, clock).mint("neuron", ASKER)
    verifier.verify(token, "neuron", ["gateway"])
    for audience, issuers in [("codegen", ["gateway"]), ("neuron", ["broker"])]:
        with pytest.raises(Problem):
            verifier.verify(token, audience, issuers)
    clock.advance(LIFETIME_SECONDS + 6)
    with pytest.raises(Problem):
        verifier.verify(token, "neuron", ["gateway"])


def test_what_is_remembered_is_bounded(clock: ManualClock) -> None:
    verifier = Verifier(Trust([PublicKey.of(GATEWAY)]), clock, remembered=5)
    issuer = Issuer(GATEWAY, clock)
    for _ in range(20):
        verifier.verify(issuer.mint("neuron"), "neuron", ["gateway"])
    assert len(verifier._remembered) == 5


def test_any_function_may_be_named_at_once(clock: ManualClock) -> None:
    codegen = PrivateKey.generate("function:codegen")
    verifier = Verifier(Trust([PublicKey.of(codegen), PublicKey.of(GATEWAY)]), clock)
    assert verifier.verify(Issuer(codegen, clock).mint("broker"), "broker", ["function:*"]).issuer == "function:codegen"
    with pytest.raises(Problem):
        verifier.verify(Issuer(GATEWAY, clock).mint("broker"), "broker", ["function:*"])
