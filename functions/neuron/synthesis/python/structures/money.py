"""Amounts of money in a currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Money:
    """An exact amount with two decimals, and its currency as a code of three letters (ISO 4217).

    Amounts are rounded half to even, as banks do.

    Raises:
        ValueError: The amount is no number, or the currency is no code of three upper-case letters.

    Examples:
        >>> Money("10.00", "EUR") + Money("2.50", "EUR")
        Money(amount=Decimal('12.50'), currency='EUR')
        >>> [str(part) for part in Money("10.00", "EUR").allocate([1, 1, 1])]
        ['3.34 EUR', '3.33 EUR', '3.33 EUR']
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        try:
            rounded = Decimal(amount).quantize(_CENT, rounding=ROUND_HALF_EVEN)
        except InvalidOperation:
            raise ValueError("The amount must be a number.") from None
        if not rounded.is_finite():
            raise ValueError("The amount must be a number.")
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
            raise ValueError("The currency must be a code of three upper-case letters.")
        object.__setattr__(self, "amount", rounded)
        object.__setattr__(self, "currency", currency)

    def add(self, other: Money) -> Money:
        """Add money of the same currency.

        Raises:
            ValueError: The currencies differ.
        """
        return Money(self.amount + self._same(other), self.currency)

    def subtract(self, other: Money) -> Money:
        """Subtract money of the same currency.

        Raises:
            ValueError: The currencies differ.
        """
        return Money(self.amount - self._same(other), self.currency)

    def multiply(self, factor: Decimal | int) -> Money:
        """Multiply by an exact number, rounding half to even."""
        return Money(self.amount * factor, self.currency)

    def convert(self, rate: Decimal | int, currency: str) -> Money:
        """Give the same value in another currency, of which `rate` is paid for one of this.

        Raises:
            ValueError: The rate is not above 0, or the currency is no code.
        """
        if not rate > 0:
            raise ValueError("The rate must be greater than 0.")
        return Money(self.amount * rate, currency)

    def allocate(self, ratios: Sequence[int]) -> list[Money]:
        """Split in the given ratios, losing no cent: what is left over goes to the first parts, a cent each.

        Raises:
            ValueError: There are no ratios, one is negative, or all are 0.
        """
        if not ratios or min(ratios) < 0 or sum(ratios) == 0:
            raise ValueError("The ratios must be given, not negative, and not all 0.")
        cents = int(self.amount / _CENT)
        size, sign = abs(cents), -1 if cents < 0 else 1
        shares = [size * ratio // sum(ratios) for ratio in ratios]
        takers = [i for i, ratio in enumerate(ratios) if ratio]
        for i in takers[: size - sum(shares)]:
            shares[i] += 1
        return [Money(sign * share * _CENT, self.currency) for share in shares]

    def __add__(self, other: Money) -> Money:
        return self.add(other)

    def __sub__(self, other: Money) -> Money:
        return self.subtract(other)

    def __mul__(self, factor: Decimal | int) -> Money:
        return self.multiply(factor)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError("The currencies must be the same.")
        return other.amount
