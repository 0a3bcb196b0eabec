"""The catalogue of algorithms that a computation may name: what each takes, gives and refuses, and known results.

An implementer writes each of them in its language; `examples` become tests, in the catalogue's own suite and in every
project that uses the algorithm. Adding one here obliges every available implementer.
"""

from shared.software.algorithms.catalogue import CATALOGUE
from shared.software.algorithms.contract import Algorithm

__all__ = ["CATALOGUE", "Algorithm"]
