"""Synthesis: the deterministic engines that turn designs into source files, one package for each language."""
