"""The functions: one folder for each unit that is deployed, scaled and understood alone."""
