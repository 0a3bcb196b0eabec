"""The named points of a move at which a test kills the mover."""

from __future__ import annotations

from typing import Final

from shared.chaos import register

PLANNED: Final = register(
    "move.planned", "A move is in the directory, nothing else is done: it begins when it is resumed."
)
CLAIMED: Final = register(
    "move.claimed", "The old shard knows of the move: resumed, it goes on; cancelled, it lets go."
)
PUBLISHED: Final = register(
    "move.published", "The old shard keeps its log for the move, nothing is copied: resumed, the copy begins."
)
SUBSCRIBED: Final = register("move.subscribed", "The new shard copies by itself: resumed, the mover waits for it.")
COPIED: Final = register("move.copied", "Every table is copied and followed: resumed, the copy is verified.")
VERIFIED: Final = register("move.verified", "The copy is verified: resumed, it is verified again, then cut over.")
FENCED: Final = register(
    "move.fenced", "Nobody may write: whoever waits lifts the fence after 1.5 s; resumed, it is set anew."
)
DRAINED: Final = register(
    "move.drained", "The last write has arrived at the new shard, which is no home yet: as after the fence."
)
ACTIVATED: Final = register(
    "move.activated", "The new shard is ready in an epoch that nobody has: as after the fence, and nobody writes there."
)
CLOSED: Final = register(
    "move.closed",
    "The home is the new shard and only the old one says so: writers are sent on; resumed, the directory knows.",
)
SWITCHED: Final = register("move.switched", "The directory knows the new home: resumed, the replication ends.")
UNSUBSCRIBED: Final = register(
    "move.unsubscribed", "The replication has ended, the move is not noted as finished: it is noted."
)
UNCLAIMED: Final = register("move.unclaimed", "A move is cancelled, its copy is still there: resumed, the copy goes.")
WIPED: Final = register("move.wiped", "A copy is gone, its mark and the directory's note are not: they follow.")
COPY_SHRUNK: Final = register(
    "move.copy.shrunk", "Some rows of an old copy are gone, others are not: whoever drops copies next goes on."
)
COPY_GONE: Final = register(
    "move.copy.gone", "An old copy is gone, and the directory does not know: it is noted next time."
)

FORWARDS: Final = (
    PLANNED, CLAIMED, PUBLISHED, SUBSCRIBED, COPIED, VERIFIED, FENCED, DRAINED, ACTIVATED, CLOSED, SWITCHED,
    UNSUBSCRIBED,
)  # fmt: skip
"""Those of a move that comes to its end, in order."""
