"""URI and URI-reference as RFC 3986 writes them: two types of CloudEvents' attributes.

Promises: linear time, no look-ups, nothing normalised. It judges syntax only; what a URI names is nobody's business
here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_UNRESERVED: Final = r"A-Za-z0-9\-._~"
_SUB_DELIMS: Final = r"!$&'()*+,;="
_PERCENT: Final = r"%[0-9A-Fa-f]{2}"
# RFC 3986, appendix B, splits any string; the parts are then judged one by one.
_PARTS: Final = re.compile(r"(?:([^:/?#]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*")
_USERINFO: Final = re.compile(rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:]|{_PERCENT})*")
_REGISTERED_NAME: Final = re.compile(rf"(?:[{_UNRESERVED}{_SUB_DELIMS}]|{_PERCENT})*")
_FUTURE_ADDRESS: Final = re.compile(rf"[vV][0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB_DELIMS}:]+")
_PORT: Final = re.compile(r"[0-9]*")
_PATH: Final = re.compile(rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@/]|{_PERCENT})*")
_QUERY: Final = re.compile(rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@/?]|{_PERCENT})*")


def uri_reference_fault(text: str) -> str | None:
    """Say why `text` is no URI-reference (RFC 3986, section 4.1), or None when it is one."""
    parts = _PARTS.fullmatch(text)
    if parts is None:  # cannot be: the pattern takes every string
        return "must be a URI-reference (RFC 3986)"
    scheme, authority, path, query, fragment = parts.groups()
    if scheme is not None and _SCHEME.fullmatch(scheme) is None:
        return "must be a URI-reference (RFC 3986): what stands before its first colon is no scheme"
    if authority is not None and not _is_authority(authority):
        return "must be a URI-reference (RFC 3986): its authority is malformed"
    for part, pattern, name in ((path, _PATH, "path"), (query, _QUERY, "query"), (fragment, _QUERY, "fragment")):
        if part is not None and pattern.fullmatch(part) is None:
            return f"must be a URI-reference (RFC 3986): its {name} has a character that must be percent-encoded"
    return None


def absolute_uri_fault(text: str) -> str | None:
    """Say why `text` is no absolute URI (RFC 3986, section 4.3: a scheme, no fragment), or None when it is one."""
    fault = uri_reference_fault(text)
    if fault is not None:
        return fault.replace("a URI-reference", "an absolute URI")
    if re.match(r"[A-Za-z][A-Za-z0-9+\-.]*:", text) is None:
        return "must be an absolute URI (RFC 3986): it has no scheme"
    if "#" in text:
        return "must be an absolute URI (RFC 3986, section 4.3): it must not have a fragment"
    return None


def _is_authority(authority: str) -> bool:
    userinfo, at, host = authority.rpartition("@")
    if at and _USERINFO.fullmatch(userinfo) is None:
        return False
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        return (
            bool(bracket)
            and _is_address(address)
            and (not port or (port[0] == ":" and _PORT.fullmatch(port[1:]) is not None))
        )
    name, _, port = host.partition(":")
    return _REGISTERED_NAME.fullmatch(name) is not None and _PORT.fullmatch(port) is not None


def _is_address(address: str) -> bool:
    if _FUTURE_ADDRESS.fullmatch(address):
        return True
    if "%" in address:  # a zone is RFC 6874's, not RFC 3986's
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True
