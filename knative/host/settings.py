"""What can be set of the host, beyond function.toml."""

from __future__ import annotations

from knative.framing import DEFAULT_LIMITS
from shared.settings import setting, settings


@settings
class HostSettings:
    """Limits of the function host towards its clients."""

    address: str = setting(
        "HAL9_HOST_ADDRESS", default="127.0.0.1", doc="Address to listen on with --port; 0.0.0.0 or :: in a container."
    )
    connections: int = setting(
        "HAL9_HOST_CONNECTIONS", default=1000, doc="Connections at once; what comes beyond is answered 503.", minimum=1
    )
    streams: int = setting(
        "HAL9_HOST_STREAMS", default=256, doc="Streamed answers at once, beside the function's concurrency.", minimum=1
    )
    header_bytes: int = setting(
        "HAL9_HOST_HEADER_BYTES",
        default=DEFAULT_LIMITS.bytes,
        doc="Longest request header with its request line, in bytes.",
        minimum=1024,
    )
    header_count: int = setting(
        "HAL9_HOST_HEADER_COUNT", default=DEFAULT_LIMITS.count, doc="Most header fields of a request.", minimum=8
    )
    header_seconds: float = setting(
        "HAL9_HOST_HEADER_SECONDS", default=10.0, doc="Time for a whole request header, in seconds.", minimum=0.1
    )
    body_seconds: float = setting(
        "HAL9_HOST_BODY_SECONDS", default=30.0, doc="Time for a whole request body, in seconds.", minimum=0.1
    )
    idle_seconds: float = setting(
        "HAL9_HOST_IDLE_SECONDS",
        default=120.0,
        doc="How long an idle connection is kept, in seconds: above 90.",
        minimum=0.1,
    )
    write_seconds: float = setting(
        "HAL9_HOST_WRITE_SECONDS",
        default=60.0,
        doc="How long a client may take nothing of an answer, in seconds.",
        minimum=0.1,
    )
    access_log: bool = setting("HAL9_HOST_ACCESS_LOG", default=False, doc="Log one line for each request.")
    log_level: str = setting(
        "HAL9_LOG_LEVEL",
        default="info",
        doc="Least level that is logged.",
        choices=("debug", "info", "warning", "error"),
    )
    metrics: bool = setting(
        "HAL9_HOST_METRICS", default=True, doc="Answer /metrics; false where the port is open to the public."
    )
