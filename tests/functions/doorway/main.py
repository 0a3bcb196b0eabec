"""The gateway as it is, with routes to a function that tells what reached it."""

from __future__ import annotations

from functions.gateway import api
from functions.gateway.credentials import Door
from functions.gateway.forwarding import forward_to
from functions.gateway.gateway import Gateway
from functions.gateway.resources import Resources
from shared.function import Operation

mirror, absent = forward_to("mirror", "mirror"), forward_to("absent", "absent")
resources = Resources()
function = Gateway(
    "doorway",
    operations=[
        *api.OPERATIONS,
        Operation("POST", "/v1/mirror/{thing_id}", "runs.create", mirror, "Tell.", raw_body=True),
        Operation("GET", "/v1/ticks", "runs.read", mirror, "Ticks.", streaming=True),
        Operation("GET", "/v1/large", "runs.read", mirror, "Large."),
        Operation("GET", "/v1/fail", "runs.read", mirror, "Fail."),
        Operation("GET", "/v1/guarded", "runs.read", mirror, "The function wants another permission."),
        Operation("GET", "/v1/absent", "runs.read", absent, "Nobody is there."),
        Operation("GET", "/v1/other", "runs.read", forward_to("mirror", "other"), "A token for another function."),
    ],
    resources=lambda: resources,
    authenticate=Door(resources),
)
handle = function.handle
