"""What sealing and opening a session costs, against bare AES-GCM and against Fernet."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.datakeys import DataKey
from shared.identifiers import new_id
from shared.sessions import Session
from shared.sessions.sealing import CLEAR_BYTES, open_sealed, open_session, seal, seal_session
from shared.sessions.session import encode
from tests.performance.benchmark import Benchmark
from tests.performance.processor import per_call
from tests.performance.results import AtLeast, AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.performance.benchmark import Conditions

_BYTES = 600


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of CPU for sealing and opening 600 bytes, all ways in turns."""
    ways = _ways()
    spent: dict[str, float] = {}
    for _ in range(conditions.rounds(7)):
        for name, way in ways.items():
            spent[name] = min(spent.get(name, 1e9), per_call(way, 3) / 1000)
    ours, bare, fernet = spent["ours"], spent["bare"], spent["fernet"]
    return [
        Figure("seal and open, 600 bytes", ours, "us"),
        Figure("bare AES-256-GCM, random nonce, same associated data", bare, "us"),
        Figure("Fernet", fernet, "us"),
        Figure("against bare AES-GCM", ours / bare, "x", AtMost(1.5)),
        Figure("times faster than Fernet", fernet / ours, "x", AtLeast(10)),
        Figure("a whole session: encode, seal, open, decode", spent["session"], "us"),
    ]


def _ways() -> dict[str, Callable[[], object]]:
    raw, body, clear, context = AESGCM.generate_key(256), urandom(_BYTES), urandom(CLEAR_BYTES), urandom(39)
    aead, fernet, associated = AESGCM(raw), Fernet(Fernet.generate_key()), clear + context
    key, digest, session = DataKey(new_id(), aead), urandom(32), _session()

    def bare() -> bytes:
        nonce = urandom(12)
        return aead.decrypt(nonce, aead.encrypt(nonce, body, associated), associated)

    return {
        "bare": bare,
        "ours": lambda: open_sealed(aead, seal(aead, clear, context, body), context),
        "fernet": lambda: fernet.decrypt(fernet.encrypt(body)),
        "session": lambda: open_session(key, seal_session(key, session, digest), digest, session.region),
    }


def _session() -> Session:
    """A session whose sealed form has 600 bytes, too."""
    short = Session(
        new_id(), new_id(), new_id(), "us-west", frozenset({"developer", "auditor"}), 1_700_000_000_000_000,
        1_700_043_200_000_000, 1800, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)", "203.0.113.7", {"note": "x" * 100},
    )  # fmt: skip
    short.data["note"] += "x" * (_BYTES - len(encode(short)))  # type: ignore[index]
    return short


BENCHMARK = Benchmark("session-seal", "a session sealed and opened again", measure)
