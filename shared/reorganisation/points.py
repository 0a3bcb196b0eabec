"""The named points of a split and of a merge at which a test kills whoever does it."""

from __future__ import annotations

from typing import Final

from shared.chaos import register

ENTERED: Final = register(
    "reorganisation.entered", "A split's new organisation is there and owns nothing: the same command goes on."
)
SHUT: Final = register(
    "reorganisation.shut",
    "An organisation that is merged has no key any more, and nobody was told: the same command tells them.",
)
TOLD: Final = register(
    "reorganisation.told",
    "Caches know that an organisation that is merged lets nobody in, its sessions have ended, nothing has gone yet: "
    "the same command goes on.",
)
GONE: Final = register(
    "reorganisation.gone", "One thing has changed hands, others have not: the same command goes on with them."
)
EMPTY: Final = register(
    "reorganisation.empty", "All things have changed hands, the merge is not noted as done: the same command notes it."
)
