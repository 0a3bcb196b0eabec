"""Whether a cache that somebody else runs answers: asked at the platform's start, and whenever its status is.

Promises: what it says holds no password. Does not: keep a connection.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from shared.cache import Cache, CacheError, CacheUnavailableError


async def fault(url: str) -> str | None:
    """Give what is wrong with the cache at HAL9_CACHE_URL, as a sentence that says what to do; None when it answers."""
    try:
        cache = Cache(url)
        place = _place(url)
    except ValueError as error:
        return str(error)
    try:
        await cache.ping()
    except CacheUnavailableError:
        return f"The cache at {place} does not answer: start it, set HAL9_CACHE_URL to another one, or unset it."
    except CacheError as error:
        return f"The cache at {place} refused: {error}. Correct HAL9_CACHE_URL, or unset it."
    finally:
        await cache.close()
    return None


def _place(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
