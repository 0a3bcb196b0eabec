"""The gateway: the one public door of a region."""
