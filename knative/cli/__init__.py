"""The `hal9` command: a thin shell over the typed HTTP client and the local platform."""
