"""Manifests: everything that a cluster needs, from the same function.toml files that the local platform reads.

    files = render(load_all(root), Target(region="eu-central"))
    write(files, folder)

Promises: the same descriptions and target give the same bytes; every annotation's value is a string; no secret is in
a manifest (only the names of Secrets); nothing is named that Knative 1.15 would refuse.
Does not: talk to a cluster, or know which feature flags it has on (`Target.feature_flags` names what is needed).
"""

from __future__ import annotations

from knative.render.target import REGIONS, Data, Manifest, Target
from knative.render.tree import BEFORE, MIGRATIONS, NotOursError, render, write

__all__ = ["BEFORE", "MIGRATIONS", "REGIONS", "Data", "Manifest", "NotOursError", "Target", "render", "write"]
