"""How functions are run: the host, the local platform, the manifests and the command line."""
