"""Algorithms that round numbers as they are written, not as binary fractions keep them."""

from __future__ import annotations

import decimal


def round_half_even(number: float, decimals: int) -> float:
    """Round a number as written to a number of decimals, halves to the even neighbour (bankers' rounding)."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_HALF_EVEN))


def round_half_up(number: float, decimals: int) -> float:
    """Round a number as written to a number of decimals, halves away from zero."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_HALF_UP))


def round_up(number: float, decimals: int) -> float:
    """Round a number as written up to a number of decimals."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_CEILING))


def round_down(number: float, decimals: int) -> float:
    """Round a number as written down to a number of decimals."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_FLOOR))
