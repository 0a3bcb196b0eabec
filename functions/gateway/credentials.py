"""The door: who asks, whether they ask too often, and whether they may.

A request comes with an API key or, from a browser, with a session's cookie; where it has both, the key counts, as no
browser sends one by itself. Nothing in an answer's text tells which part of a key was wrong, or whether its prefix is
known. While the directory does not answer, nobody comes in (503).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.gateway.crosssite import refuse_cross_site
from functions.gateway.gateway import RATE_LIMIT_SCOPE
from functions.gateway.lookups import revocation_mark
from functions.gateway.quotas import GATE_SCOPE, refuse_closed, warnings
from functions.gateway.signedin import presented_cookie, signed_in
from functions.gateway.streams import ADMITTED_SCOPE
from shared import apikeys
from shared.permissions import OF_PERSONS, PERSON, ROLES, Principal
from shared.problems import Problem
from shared.quotas.gates import gate, read
from shared.quotas.problem import violating
from shared.telemetry import set_organisation
from shared.tokens import LIFETIME_SECONDS, Claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from starlette.requests import Request

    from functions.gateway.resources import Resources
    from shared.apikeys import ApiKey, PresentedKey
    from shared.function import Operation
    from shared.ratelimits import Limit, Verdict
    from shared.sessions import Session, Sessions

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
            Problem: 401, 429, 403 or 402, in this order; with a cookie, a request from elsewhere is 403 before all.
        """
        principal = await self._admitted(request, operation)
        if operation.permission in OF_PERSONS and principal.user_id is None:
            raise Problem("session-required")
        decision = await self._resources.authorizer.allows(principal, operation.permission or "")
        if not decision.allowed:
            raise Problem("permission-missing", 403, f"{decision.reason} Ask an owner of your organisation for it.")
        if standings := request.scope[GATE_SCOPE]:
            tier = (await self._resources.shards.locate(principal.org_id)).tier
            request.scope[RATE_LIMIT_SCOPE] |= warnings(standings, self._resources.tiers, tier)
            refuse_closed(request, operation, standings, self._resources.tiers, tier)
        return self._claims(principal)

    async def _admitted(self, request: Request, operation: Operation) -> Principal:
        """Give who asks, when they are who they say and within their limits."""
        presented = _presented(request)
        if presented is not None:
            return await self._by_key(request, operation, presented)
        cookie, sessions = presented_cookie(request), self._resources.sessions
        if cookie is not None and sessions is not None:
            refuse_cross_site(request, self._resources.origins)
            return await self._by_session(request, operation, sessions, cookie)
        detail = "Send an API key in the header `Authorization: Bearer hal9_…`, or sign in."
        raise Problem("credentials-missing", 401, detail, headers=_CHALLENGE)

    async def _by_key(self, request: Request, operation: Operation, presented: PresentedKey) -> Principal:
        opened = self._resources
        key, fresh = await opened.lookups.find(presented.prefix)
        genuine = self._genuine(presented, key)
        set_organisation(genuine.org_id)
        org = genuine.org_id
        limits = opened.limits.of_key(org, genuine.key_id, operation.name)
        verdict = await self._charged(request, org, limits, [revocation_mark(org, genuine.key_id)])
        if verdict.found[1] is not None or not (verdict.shared or fresh):
            key, _ = await opened.lookups.find(presented.prefix, fresh=True)
            genuine = self._genuine(presented, key)
        _refuse_beyond(verdict)
        if opened.lookups.due(genuine):
            opened.tasks.start(apikeys.touch(opened.directory, org, genuine.key_id, opened.clock.now()))
        request.scope[ADMITTED_SCOPE] = lambda: opened.lookups.stands(genuine)
        placement = await opened.shards.locate(org)
        subject = f"key:{genuine.prefix}"
        return Principal(org, subject, genuine.roles, _granted(genuine.roles), placement.region, genuine.key_id)

    async def _by_session(self, request: Request, operation: Operation, sessions: Sessions, cookie: str) -> Principal:
        session = (await signed_in(sessions, request, cookie)).session
        org, user = session.org_id, session.user_id
        set_organisation(org)
        verdict = await self._charged(request, org, self._resources.limits.of_user(org, user, operation.name))
        _refuse_beyond(verdict)

        async def admitted() -> bool:
            now = await sessions.current(session)
            return now is not None and operation.permission in _granted(_roles(now))

        request.scope[ADMITTED_SCOPE] = admitted
        roles = _roles(session)
        placement = await self._resources.shards.locate(org)
        return Principal(org, f"user:{user}", roles, _granted(roles), placement.region, user_id=user)

    async def _charged(
        self, request: Request, org_id: UUID, limits: Sequence[tuple[Limit, str]], marks: Sequence[str] = ()
    ) -> Verdict:
        """Charge a request to its limits; in the same round trip, look up the quota's gate and then the marks."""
        verdict = await self._resources.limiter.take(limits, look_up=[gate(org_id), *marks])
        request.scope[GATE_SCOPE] = read(verdict.found[0])
        request.scope[RATE_LIMIT_SCOPE] = verdict.headers()
        return verdict

    def _genuine(self, presented: PresentedKey, key: ApiKey | None) -> ApiKey:
        same = presented.matches(None if key is None else key.secret_hash)
        if key is None or not same or not key.active(self._resources.clock.now()):
            raise _invalid()
        return key

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
            user_id=principal.user_id,
        )


def _roles(session: Session) -> tuple[str, ...]:
    return (*sorted(session.privileges), PERSON)


def _granted(roles: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))


def _refuse_beyond(verdict: Verdict) -> None:
    if not verdict.allowed:
        wait, violated = verdict.retry_after_seconds(), verdict.violated()
        detail = f"Too many requests ({', '.join(violated)}): wait {wait} s, then try again."
        raise Problem("rate-limited", 429, detail, **violating(violated))


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
