"""Requests for software: starts the run, verifies in a sandbox what the neurons wrote, keeps the artefacts."""
