"""How a function knows that an event comes from the broker: one interface, three proofs, chosen by HAL9_BROKER_PROOF.

    proof = broker_proof("codegen")
    await proof.check()
    claims = await proof.claims(request)

- `key`: a token that the local platform's broker signs with its own key (`shared.tokens`).
- `oidc`: a token of the account of one of our own Triggers or PingSources, minted by the cluster for Knative's
  dispatchers (`shared.tokens.accounts`). HAL9_BROKER_SUBJECTS names the accounts.
- `secret`: a secret in the query of the address that the broker delivers to, for clusters whose Eventing has OIDC off.

Promises: what delivers gets the permission for just what it may deliver, events or dead letters; every refusal is the
same 401; what cannot be decided now is 503, so that the broker comes again. Docs: decisions/0011.
Does not: load a library of keys before the first event, but for `oidc`, whose keys are there before the function is
ready.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from shared.problems import Problem
from shared.settings import load, setting, settings
from shared.telemetry import logger

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.tokens import Claims, Verifier
    from shared.tokens.accounts import AccountClaims, AccountVerifier

_log = logger(__name__)

EVENTS: Final = "events.deliver"
"""The permission to deliver an event."""

DEAD_LETTERS: Final = "dead-letters.deliver"
"""The permission to deliver a dead letter."""

SECRET_QUERY: Final = "proof"  # noqa: S105 - its name
"""The query parameter that holds the shared secret."""

ISSUER: Final = "broker"
_BOTH: Final = frozenset({EVENTS, DEAD_LETTERS})
_BEARER: Final = "bearer "
_KEYS_PATH: Final = "/openid/v1/jwks"
_FETCH_SECONDS: Final = 5.0
_SHORTEST_SECRET: Final = 32
_RETRY: Final = {"Retry-After": "2"}


@settings
class BrokerProofSettings:
    """How the broker proves itself to a function."""

    proof: str = setting(
        "HAL9_BROKER_PROOF",
        "key",
        "What proves that an event comes from the broker: `key` (the local platform's), `oidc` (Knative's tokens), or "
        "`secret` (for a Knative that has OIDC off).",
        choices=("key", "oidc", "secret"),
    )
    subjects: str = setting(
        "HAL9_BROKER_SUBJECTS",
        "",
        "With `oidc`: accounts that may deliver events, `system:serviceaccount:<namespace>:<name>`, comma-separated.",
    )
    dead_letter_subjects: str = setting(
        "HAL9_DEAD_LETTER_SUBJECTS", "", "With `oidc`: accounts that may deliver dead letters, likewise."
    )
    secret: str | None = setting(
        "HAL9_BROKER_SECRET",
        None,
        "With `secret`: what the address that the broker delivers to must hold, 32 characters or more; two, separated "
        "by a comma, while it is changed.",
        secret=True,
    )
    api_url: str = setting(
        "HAL9_KUBERNETES_URL", "https://kubernetes.default.svc", "With `oidc`: address of the cluster's API server."
    )
    api_token: Path | None = setting(
        "HAL9_KUBERNETES_TOKEN",
        None,
        "With `oidc`: path of this pod's own token for the API server.",
    )
    api_ca: Path | None = setting(
        "HAL9_KUBERNETES_CA", None, "With `oidc`: path of the certificates that the API server is believed by (PEM)."
    )


class BrokerProof(Protocol):
    """What proves that a request comes from the broker."""

    async def check(self) -> None:
        """Return when proofs can be verified; raise when they cannot yet."""

    async def claims(self, request: Request) -> Claims | None:
        """Give what is proven of whoever sent the request, None when it holds no proof.

        Raises:
            Problem: 401 when the proof is not valid, 503 when that cannot be decided now.
        """


def broker_proof(function: str) -> BrokerProof:
    """Give the proof that the settings name.

    Args:
        function: The function's name; what `audience` makes of it is whom the broker's tokens must be for.

    Raises:
        SettingsError: A setting is wrong.
        RuntimeError: One that the proof needs is missing.
    """
    chosen = load(BrokerProofSettings)
    if chosen.proof == "oidc":
        return AccountProof(function, chosen)
    if chosen.proof == "secret":
        return SecretProof(function, chosen)
    return KeyProof(function)


def audience(function: str) -> str:
    """Name whom the tokens of Knative's broker are for, when they are for a function."""
    return f"hal9/{function}"


def bearer(request: Request) -> str | None:
    """Give the token of a request's Authorization header (RFC 6750), None when there is none."""
    header = request.headers.get("authorization", "")
    return header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else None


class KeyProof:
    """The local platform's broker signs its tokens with its own key, which HAL9_TRUST holds.

    Args:
        function: The audience of its tokens.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._verifier: Verifier | None = None

    async def check(self) -> None:
        """Do nothing: the key is read at the first event."""

    async def claims(self, request: Request) -> Claims | None:
        """Give the broker's claims."""
        token = bearer(request)
        if token is None:
            return None
        self._verifier = self._verifier or trusted_verifier()
        return replace(self._verifier.verify(token, self._function, (ISSUER,)), scope=_BOTH)


def trusted_verifier() -> Verifier:
    """Load the keys of HAL9_TRUST, at the first token: their library is a third of a lean function's start."""
    from shared.keys import Trust, TrustSettings
    from shared.tokens import Verifier

    path = load(TrustSettings).trust
    if path is None:
        raise RuntimeError("HAL9_TRUST is not set: no token can be verified")
    return Verifier(Trust.load(path))


class SecretProof:
    """The address that the broker delivers to holds a secret that nobody else knows.

    Args:
        function: Whom it is for.
        chosen: Holds the secret.

    Raises:
        RuntimeError: There is none, or it is too short.
    """

    def __init__(self, function: str, chosen: BrokerProofSettings) -> None:
        self._function = function
        self._secrets = [secret.encode() for secret in (chosen.secret or "").split(",")]
        if min(len(secret) for secret in self._secrets) < _SHORTEST_SECRET:
            raise RuntimeError(f"HAL9_BROKER_SECRET must hold a secret of {_SHORTEST_SECRET} characters or more")

    async def check(self) -> None:
        """Do nothing: the secret is here."""

    async def claims(self, request: Request) -> Claims | None:
        """Give the claims of whoever knows the secret."""
        given = request.query_params.getlist(SECRET_QUERY)
        if not given:
            return None
        presented = given[0].encode("utf-8", "surrogatepass")
        matches = [hmac.compare_digest(presented, secret) for secret in self._secrets]
        if len(given) != 1 or not any(matches):
            raise _refused()
        from shared.tokens.claims import Claims

        return Claims(ISSUER, self._function, ISSUER, 0, 0, ISSUER, scope=_BOTH)


class AccountProof:
    """Knative's dispatchers send a token of the Trigger's or PingSource's account, minted by the cluster.

    Args:
        function: Whose audience the tokens must be for.
        chosen: Names the accounts, and how the cluster's keys are fetched.

    Raises:
        RuntimeError: No account, or no way to the keys, is named.
    """

    def __init__(self, function: str, chosen: BrokerProofSettings) -> None:
        missing = [
            name
            for name, value in (("HAL9_KUBERNETES_TOKEN", chosen.api_token), ("HAL9_KUBERNETES_CA", chosen.api_ca))
            if value is None
        ]
        self._function = function
        self._allowed = {EVENTS: _accounts(chosen.subjects), DEAD_LETTERS: _accounts(chosen.dead_letter_subjects)}
        self._subjects = frozenset[str]().union(*self._allowed.values())
        if not self._subjects:
            missing.append("HAL9_BROKER_SUBJECTS")
        if missing:
            raise RuntimeError(f"HAL9_BROKER_PROOF is `oidc`, which needs {', '.join(missing)}")
        self._chosen = chosen
        self._verifier: AccountVerifier | None = None

    async def check(self) -> None:
        """Return when the cluster's keys are here.

        Raises:
            KeysUnavailableError: They cannot be fetched.
            OSError: This pod's own token cannot be read.
            ValueError: It is none.
        """
        await self._loaded().warm()

    async def claims(self, request: Request) -> Claims | None:
        """Give the claims of one of the accounts that may deliver to us."""
        from shared.keys.published import KeysUnavailableError
        from shared.tokens.accounts import NotGenuineError

        token = bearer(request)
        if token is None:
            return None
        try:
            return self._ours(await self._loaded().verify(token, self._subjects))
        except NotGenuineError as error:
            _log.info("delivery refused", reason=str(error))
            raise _refused() from error
        except (KeysUnavailableError, OSError) as error:
            _log.warning("delivery undecided", reason=str(error))
            raise Problem(
                "unavailable", detail="The proof cannot be verified at the moment.", headers=_RETRY
            ) from error

    def _ours(self, claims: AccountClaims) -> Claims:
        """Say in our own terms what a delivery may do: the permissions of the paths that the account delivers to."""
        from shared.tokens.claims import Claims

        scope = frozenset(permission for permission, accounts in self._allowed.items() if claims.subject in accounts)
        return Claims(
            ISSUER,
            self._function,
            claims.subject,
            claims.issued_at,
            claims.expires_at,
            claims.token_id or claims.subject,
            scope=scope,
        )

    def _loaded(self) -> AccountVerifier:
        from shared.keys.published import PublishedKeys
        from shared.tokens.accounts import AccountVerifier, issuer_of

        if self._verifier is None:
            own = _read(self._chosen.api_token)
            self._verifier = AccountVerifier(PublishedKeys(self._fetch), issuer_of(own), audience(self._function))
        return self._verifier

    async def _fetch(self) -> bytes:
        """Fetch the cluster's key set with this pod's own token, which the kubelet renews. Raises OSError."""
        import ssl

        from shared.function.outgoing import Outgoing

        tls = ssl.create_default_context(cafile=self._chosen.api_ca)
        api = Outgoing(self._chosen.api_url, most_idle=0, tls=tls)
        headers = [
            (b"authorization", f"Bearer {_read(self._chosen.api_token)}".encode("ascii")),
            (b"accept", b"application/jwk-set+json, application/json"),
        ]
        reply = await api.request("GET", _KEYS_PATH, headers, seconds=_FETCH_SECONDS, most=256 << 10)
        if reply.status != 200:
            raise ConnectionError(f"the API server answered {reply.status}")
        return reply.body


def _accounts(names: str) -> frozenset[str]:
    return frozenset(name.strip() for name in names.split(",") if name.strip())


def _read(path: Path | None) -> str:
    assert path is not None  # noqa: S101 - the constructor saw to it
    return path.read_text(encoding="ascii").strip()


def _refused() -> Problem:
    return Problem(
        "credentials-invalid",
        401,
        "The token is not valid for this function.",
        headers={"WWW-Authenticate": "Bearer"},
    )
