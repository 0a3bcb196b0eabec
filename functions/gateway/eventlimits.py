"""How large the attributes of an event from outside may be: nothing that was taken is refused behind this door.

Behind it an event is a request in binary mode, whose attributes are header fields, of which servers take so many bytes
and so many; its `source` and `id` are a key of the inboxes and of the dead letters, and PostgreSQL's keys hold 2.7 KB.
Promises: what is within these bounds is delivered, and kept as a dead letter when that fails: there is room for what
the platform and Knative's brokers add, and for what a dead letter says of its failure. It does not look at what the
attributes say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events import codec
from events.cloudevent import MAX_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.cloudevent import CloudEvent

MAX_ID_LENGTH: Final = 256
"""Characters of `id`, of which one can be four bytes."""

MAX_SOURCE_LENGTH: Final = 1024
"""Characters of `source`, which are ASCII."""

MAX_ATTRIBUTE_BYTES: Final = 16 * 1024
"""All attributes as header fields, percent-encoded."""

STAMPED: Final = frozenset({"orgid", "traceparent"})
"""The extensions that this door sets itself: they count as none."""

MAX_OWN_EXTENSIONS: Final = MAX_EXTENSIONS - len(STAMPED) - 6
"""Extensions beside `STAMPED`; six more are what brokers add."""

_FIELD_OVERHEAD: Final = 4  # ": " and the line's end


def excesses(event: CloudEvent) -> Iterator[tuple[str, str]]:
    """Name every way in which an event's attributes are more than is taken: a JSON pointer into it, and a sentence."""
    if len(event.id) > MAX_ID_LENGTH:
        yield "/id", f"id is too long: at most {MAX_ID_LENGTH} characters are taken"
    if len(event.source) > MAX_SOURCE_LENGTH:
        yield "/source", f"source is too long: at most {MAX_SOURCE_LENGTH} characters are taken"
    own = len(event.extensions.keys() - STAMPED)
    if own > MAX_OWN_EXTENSIONS:
        yield "", f"the event has too many extensions, {own}: at most {MAX_OWN_EXTENSIONS} are taken"
    size = _attribute_bytes(event)
    if size > MAX_ATTRIBUTE_BYTES:
        yield "", f"the attributes are too long, {size} bytes as headers: at most {MAX_ATTRIBUTE_BYTES} are taken"


def _attribute_bytes(event: CloudEvent) -> int:
    headers, _ = codec.to_binary(event)
    # `traceparent` goes twice: as an attribute, and as the header of that name.
    return sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in headers) + len(event.traceparent or "")
