"""What every answer of the gateway carries, whatever it is: security headers, the limits, the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.gateway.signedin import COOKIES_SCOPE
from shared.function import Function
from shared.telemetry import trace

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

RATE_LIMIT_SCOPE: Final = "hal9.ratelimit"
"""Where the door leaves the headers about limits, for the answer."""

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Cache-Control": "no-store",
}
"""Of the OWASP secure headers project; an answer's own value goes before."""


class Gateway(Function):
    """A function whose every answer carries the headers of a public door."""

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        response = await super().answer(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        for name, value in request.scope.get(RATE_LIMIT_SCOPE, {}).items():
            response.headers[name] = value
        for header in request.scope.get(COOKIES_SCOPE, ()):
            response.headers.append("Set-Cookie", header)
        here = trace()
        if here is not None:
            response.headers["X-Trace-Id"] = here.trace_id
        return response
