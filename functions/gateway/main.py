"""The gateway's target.

Who comes in is decided here, in this order: the path must be known (404) and take the method (405), as the table of
routes is public anyway; then the credentials (401), the limits (429), the permission (403), the quota
(402). Only then is the request passed on, or done here.
"""

from __future__ import annotations

from functions.gateway import api
from functions.gateway.credentials import Door
from functions.gateway.gateway import Gateway
from functions.gateway.resources import Resources
from functions.gateway.routes import passed_on

resources = Resources()
function = Gateway(
    "gateway",
    operations=[*api.OPERATIONS, *passed_on()],
    resources=lambda: resources,
    authenticate=Door(resources),
)
handle = function.handle
