"""What a token says, and how that is read from untrusted JSON: whole, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.permissions import Principal
from shared.strictjson import read_object

_REQUIRED_TEXTS: Final = ("iss", "aud", "sub", "jti")
_LONGEST_TEXT: Final = 512


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token.

    Attributes:
        issuer: Who signed: `gateway`, `broker`, `platform`, `function:<name>`.
        audience: Whom it is for: a function's (deployment's) name, or `broker`.
        subject: Who asks.
        issued_at: Seconds since 1970.
        expires_at: Seconds since 1970.
        token_id: Unique.
        org_id: The organisation; None where the token is only about the parts themselves, as the broker's is.
        roles: Names of roles.
        scope: Permissions that were checked and granted for this request.
        key_id: The API key that was used, if one was.
        region: The organisation's region; empty without an organisation.
        user_id: The person who is signed in, if one is.
    """

    issuer: str
    audience: str
    subject: str
    issued_at: int
    expires_at: int
    token_id: str
    org_id: UUID | None = None
    roles: tuple[str, ...] = ()
    scope: frozenset[str] = frozenset()
    key_id: UUID | None = None
    region: str = ""
    user_id: UUID | None = None

    def principal(self) -> Principal | None:
        """Give whoever the request is done for; None when the token names no organisation."""
        if self.org_id is None:
            return None
        return Principal(self.org_id, self.subject, self.roles, self.scope, self.region, self.key_id, self.user_id)

    def payload(self) -> bytes:
        """Write the claims as the JSON of a token's payload."""
        document: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.subject,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "jti": self.token_id,
        }
        if self.org_id is not None:
            document |= {
                "org": str(self.org_id),
                "roles": list(self.roles),
                "scope": sorted(self.scope),
                "region": self.region,
            }
        if self.key_id is not None:
            document["key_id"] = str(self.key_id)
        if self.user_id is not None:
            document["user_id"] = str(self.user_id)
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def read(cls, payload: bytes) -> Claims:
        """Read a payload whose signature was verified.

        Claims that this release does not know are left alone, so that two releases can run side by side.

        Raises:
            ValueError: Not one JSON object without duplicate keys, or a claim is missing or of the wrong shape.
        """
        document = read_object(payload)
        if "nbf" in document:
            raise ValueError("this profile has no nbf: a token is good from its issue")
        issuer, audience, subject, token_id = (_text(document.get(name)) for name in _REQUIRED_TEXTS)
        return cls(
            issuer,
            audience,
            subject,
            _seconds(document.get("iat")),
            _seconds(document.get("exp")),
            token_id,
            _identifier(document.get("org")),
            tuple(_texts(document.get("roles", []))),
            frozenset(_texts(document.get("scope", []))),
            _identifier(document.get("key_id")),
            _text(document["region"]) if "region" in document else "",
            _identifier(document.get("user_id")),
        )


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError("not a text of a sensible length")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("not a list")  # noqa: TRY004 - a fault of the data
    return [_text(item) for item in value]


def _seconds(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a time in whole seconds")
    return value


def _identifier(value: object) -> UUID | None:
    return None if value is None else UUID(_text(value))
