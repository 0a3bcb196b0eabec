"""Container images of functions, made without a container engine.

`build.build(request)` gives images that hold what a function imports and nothing else: first our own modules that are
reached from its folder (`closure`), then the distributions of requirements/run.lock that those import (`wheels`), each
wheel checked against its hash and freed of what no process reads (`pruning`), with bytecode (`bytecode`), in layers
that are the same bytes whenever the input is (`layers`), over a base image (`base`, `sources`), with an SBOM (`sbom`).
`layout` keeps them as an OCI image layout or writes a tar, `registry` pushes them.

Promises: the same checkout, lock, base, version and Python of the builder give the same digests. Does not: run anything
of an image, install packages of a Linux distribution, or sign.

`entry` is the other side: what runs inside the images that are no function's. This package imports nothing by itself,
so that those carry no builder.
"""
