"""The function host: serves a function's `handle` over HTTP/1.1.

    python -m knative.host FOLDER [--deployment NAME] (--port N | --uds PATH)

Promises: the limits, health routes, deadlines, drain and telemetry that docs/decisions/0002-host.md lists, for any
function, at about the cost of a bare ASGI server; nothing is imported that the function does not use.
Does not: start functions on demand (`knative.platform`), or terminate TLS (the ingress does).
"""
