"""Cursors: where the next page of a list begins, as text that clients give back unchanged.

    cursors.write(last.id.bytes)                    # "AZqg3…", 22 characters
    UUID(bytes=cursors.read(query.cursor, 16))

A *place* is the bytes that order the list: an id, or a moment and an id. Promises: `read` gives the place that was
written. Does not: prove that the cursor was given out; a made-up one begins a page elsewhere in the same
organisation's list.
"""

from __future__ import annotations

import base64

from shared.problems import Problem, register

register("cursor-invalid", 422, "The cursor is not one of ours", "Give `next_cursor` of the page before, unchanged.")


def write(place: bytes) -> str:
    """Give the cursor of a place: base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def read(cursor: str, size: int) -> bytes:
    """Give the place of a cursor.

    Args:
        cursor: As `write` gave it.
        size: Bytes that a place of this list has.

    Raises:
        Problem: 422 `cursor-invalid`.
    """
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one
        raise Problem("cursor-invalid") from None
    if len(place) != size:
        raise Problem("cursor-invalid")
    return place
