"""Replicas of shards: the lease of a primary, its promotion, and positions in the log that a read can wait for.

    bookmark = await shards.bookmark(org_id)                        # after a write; the caller carries it
    await shards.run(org_id, work, readonly=True, after=bookmark)   # from a replica that has it, else the primary

Promises: a primary whose lease is over accepts no write of an organisation; a read sees what its bookmark stands for.
Does not: decide who is to be promoted: `knative.platform.keeper` does where HAL9 runs the servers; elsewhere whoever
runs them does, and HAL9 follows (`shared.database.hosts`).
"""
