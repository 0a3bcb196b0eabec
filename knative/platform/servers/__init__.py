"""The servers of the local platform, from wheels: PostgreSQL, one for each shard, and Valkey.

They need no root, no system package and no TCP port.

    servers = Servers(home / "servers", run)
    await servers.start()        # from the main thread: the kernel ends the children when that thread ends
    servers.shards_dsn, servers.shards_admin_dsn, servers.cache_url
    await servers.stop()

Promises: a start over what kill -9 left behind works; two starts over one folder are refused; what stands in the way
(another version's data, a full disk, a folder in use) is a `ServerError` whose text says what to do.
Does not: migrate (`shared.database`), or restart a server that died: `servers.dead()` names it, `await
server.start()` restarts it.
"""

from __future__ import annotations

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import Postgres
from knative.platform.servers.replicated import Replicated
from knative.platform.servers.servers import Servers
from knative.platform.servers.valkey import Valkey

__all__ = ["Postgres", "Replicated", "ServerError", "Servers", "Valkey"]
