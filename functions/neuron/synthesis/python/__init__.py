"""Python: its shares (`shares`), and what they are written with, each concept in a module or package of its own."""
