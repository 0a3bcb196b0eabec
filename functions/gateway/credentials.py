"""The door: who asks, whether they ask too often, and whether they may.

Nothing in an answer's text tells which part of a key was wrong, or whether its prefix is known. While the directory
does not answer, nobody comes in (503).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.gateway.gateway import RATE_LIMIT_SCOPE
from functions.gateway.lookups import revocation_mark
from functions.gateway.quotas import GATE_SCOPE, refuse_closed, warnings
from shared import apikeys
from shared.permissions import ROLES, Principal
from shared.problems import Problem
from shared.quotas.gates import gate
from shared.quotas.problem import violating
from shared.telemetry import set_organisation
from shared.tokens import LIFETIME_SECONDS, Claims

if TYPE_CHECKING:
    from starlette.requests import Request

    from functions.gateway.resources import Resources
    from shared.apikeys import ApiKey, PresentedKey
    from shared.function import Operation

_BEARER: Final = "bearer "
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="hal9"'}


class Door:
    """Authenticates, limits and authorises each request that is not public.

    Args:
        resources: What the gateway opened; opened before the first request comes.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def __call__(self, request: Request, operation: Operation) -> Claims:
        """Give the claims with which the operation is done here.

        Raises:
            Problem: 401, 429, 403 or 402, in this order.
        """
        presented = _presented(request)
        if presented is None:
            detail = "Send an API key in the header `Authorization: Bearer hal9_…`."
            raise Problem("credentials-missing", 401, detail, headers=_CHALLENGE)
        key = await self._admitted(request, operation, presented)
        principal = await self._principal(key)
        decision = await self._resources.authorizer.allows(principal, operation.permission or "")
        if not decision.allowed:
            raise Problem("permission-missing", 403, f"{decision.reason} Ask an owner of your organisation for it.")
        if request.scope[GATE_SCOPE] is not None:
            tier = (await self._resources.shards.locate(principal.org_id)).tier
            request.scope[RATE_LIMIT_SCOPE] |= warnings(request, self._resources.tiers, tier)
            refuse_closed(request, operation, self._resources.tiers, tier)
        return self._claims(principal)

    async def _admitted(self, request: Request, operation: Operation, presented: PresentedKey) -> ApiKey:
        """Give the key's row when it is genuine, current and within its limits."""
        opened = self._resources
        key, fresh = await opened.lookups.find(presented.prefix)
        genuine = self._genuine(presented, key)
        set_organisation(genuine.org_id)
        org = genuine.org_id
        verdict = await opened.limiter.take(
            opened.limits.of(org, genuine.key_id, f"{operation.method} {operation.path}"),
            look_up=[revocation_mark(org, genuine.key_id), gate(org)],
        )
        revoked, request.scope[GATE_SCOPE] = verdict.found
        if revoked is not None or not (verdict.shared or fresh):
            key, _ = await opened.lookups.find(presented.prefix, fresh=True)
            genuine = self._genuine(presented, key)
        request.scope[RATE_LIMIT_SCOPE] = verdict.headers()
        if not verdict.allowed:
            wait, violated = verdict.retry_after_seconds(), verdict.violated()
            detail = f"Too many requests ({', '.join(violated)}): wait {wait} s, then try again."
            raise Problem("rate-limited", 429, detail, **violating(violated))
        if opened.lookups.due(genuine):
            opened.tasks.start(apikeys.touch(opened.directory, org, genuine.key_id, opened.clock.now()))
        return genuine

    def _genuine(self, presented: PresentedKey, key: ApiKey | None) -> ApiKey:
        same = presented.matches(None if key is None else key.secret_hash)
        if key is None or not same or not key.active(self._resources.clock.now()):
            raise _invalid()
        return key

    async def _principal(self, key: ApiKey) -> Principal:
        placement = await self._resources.shards.locate(key.org_id)
        scope = frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in key.roles))
        return Principal(key.org_id, f"key:{key.prefix}", key.roles, scope, placement.region, key.key_id)

    def _claims(self, principal: Principal) -> Claims:
        now = int(self._resources.clock.now().timestamp())
        return Claims(
            issuer="gateway",
            audience="gateway",
            subject=principal.subject,
            issued_at=now,
            expires_at=now + LIFETIME_SECONDS,
            token_id="",
            org_id=principal.org_id,
            roles=principal.roles,
            scope=principal.scope,
            key_id=principal.key_id,
            region=principal.region,
        )


def _presented(request: Request) -> PresentedKey | None:
    """Read the key that the request presents; None when it has no credentials at all.

    Raises:
        Problem: 401 for two of them, another scheme, or what has not the form of a key.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        return None
    header = headers[0]
    presented = apikeys.present(header[len(_BEARER) :].strip()) if header[: len(_BEARER)].lower() == _BEARER else None
    if presented is None or len(headers) > 1:
        raise _invalid()
    return presented


def _invalid() -> Problem:
    return Problem("credentials-invalid", 401, "This API key is not valid: send one that is.", headers=_CHALLENGE)
