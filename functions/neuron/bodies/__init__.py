"""What neurons do: one module for each body or family of bodies, named in `catalogue.py`."""
