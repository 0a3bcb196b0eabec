"""What functions share: one package for each concept. Imports nothing from the layers above."""
