"""HAL9 on a cluster, through its API: check what it lacks, apply, wait, prune, remove, look at it.

    async with connect(context, namespace) as cluster:
        findings = await preflight(cluster, wanted)
        changes = await plan(cluster, manifests)
        await deploy(...)

Promises: nothing is written before every check has passed; no secret is in a manifest or a log; what was not made here
is never deleted, nor are namespaces and data volumes; the same deployment twice changes nothing.
Does not: make manifests (`knative.render` does), or build images. Only commands that talk to a cluster import it.
"""
