"""Reads formulas in words: a small grammar over tokens of sums of products of factors.

Promises: what it gives is an expression in the language of `Computation`, Python's arithmetic over its parameters; a
formula is read to its end or not at all. Bounded in depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.formulas import units
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SUMS: Final = {"plus": "+", "+": "+", "minus": "-", "-": "-", "\u2212": "-", "less": "-"}
_PRODUCTS: Final = {"times": "*", "\u00d7": "*", "*": "*", "x": "*", "·": "*", "/": "/", "÷": "/", "over": "/"}
_DEPTH: Final = 12


@dataclass
class Formula:
    """An expression that was read, with the parameters that it names, in order."""

    text: str = ""
    names: list[str] = field(default_factory=list)
    operators: int = 0


_NUMBER_WORDS: Final = lexicon.words("euro euros dollars dollar eur usd pounds %")


class _Parser:
    """Recursive descent over the tokens; `None` where nothing can be read. Its depth is bounded."""

    def __init__(self, tokens: Sequence[Token], known: Sequence[str] = ()) -> None:
        self.tokens = tokens
        self.at = 0
        self.names: list[str] = []
        self.operators = 0
        self.depth = 0
        self.known = known

    def low(self, ahead: int = 0) -> str:
        position = self.at + ahead
        return self.tokens[position].low if position < len(self.tokens) else ""

    def take(self, words: str) -> bool:
        end = quantities.phrase(self.tokens, self.at, words)
        if end is None:
            return False
        self.at = end
        return True

    def sum(self) -> str | None:
        self.depth += 1
        left = self.product() if self.depth < _DEPTH else None
        while left is not None and self.low() in _SUMS:
            operator = _SUMS[self.low()]
            self.at += 1
            share = self.share(left)
            right = share or self.product()
            if right is None:
                return None
            self.operators += 1
            left = f"{left} {operator} {right}"
        self.depth -= 1
        return left

    def share(self, base: str) -> str | None:
        """Read "20%" and "20% tax" behind "plus": a share of what stands before it."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind is Kind.PERCENT and self.low(1) != "of":
            value = self.tokens[self.at].value
            self.at += 1
            while (
                self.at < len(self.tokens)
                and self.tokens[self.at].is_word
                and self.low() not in _SUMS | _PRODUCTS
                and self.low() not in lexicon.PREPOSITIONS | lexicon.CONJUNCTIONS | {"if", "when"}
            ):
                self.at += 1
            return f"({base}) * {value} / 100"
        return None

    def product(self) -> str | None:
        left = self.power()
        while left is not None:
            operator = self.operator()
            if operator is None:
                return left
            right = self.power()
            if right is None:
                return None
            self.operators += 1
            left = f"{left} {operator} {right}"
        return left

    def operator(self) -> str | None:
        if self.low() in _PRODUCTS:
            operator = _PRODUCTS[self.low()]
            self.at += 1
            return operator
        if self.take("multiplied by") or self.take("multiplied with"):
            return "*"
        if self.take("divided by"):
            return "/"
        return None

    def power(self) -> str | None:
        base = self.factor()
        while base is not None:
            if self.take("squared") or self.take("square"):
                base, self.operators = f"{_grouped(base)} ** 2", self.operators + 1
            elif self.take("cubed"):
                base, self.operators = f"{_grouped(base)} ** 3", self.operators + 1
            elif (
                self.take("to the power of")
                or self.take("raised to the power of")
                or self.take("raised to")
                or self.take("^")
                or self.take("**")
            ):
                exponent = self.factor()
                if exponent is None:
                    return None
                base, self.operators = f"{_grouped(base)} ** {_grouped(exponent)}", self.operators + 1
            else:
                return base
        return None

    def factor(self) -> str | None:
        for reader in (self.bracket, self.root, self.pair, self.multiple, self.percentage, self.number, self.name):
            start, names = self.at, list(self.names)
            found = reader()
            if found is not None:
                return found
            self.at, self.names = start, names
        return None

    def bracket(self) -> str | None:
        if not self.take("("):
            return None
        inner = self.sum()
        return f"({inner})" if inner is not None and self.take(")") else None

    def root(self) -> str | None:
        self.take("the")
        if not self.take("square root of"):
            return None
        inner = self.power()
        self.operators += 1
        return f"sqrt({inner})" if inner is not None else None

    def pair(self) -> str | None:
        """Read "the sum of a and b", "the difference between a and b", "the product of a and b"."""
        self.take("the")
        for words, operator in (
            ("sum of", "+"),
            ("product of", "*"),
            ("difference between", "-"),
            ("difference of", "-"),
            ("quotient of", "/"),
            ("ratio of", "/"),
        ):
            if self.take(words):
                left = self.product()
                if left is None or not (self.take("and") or self.take("to")):
                    return None
                right = self.product()
                self.operators += 1
                return f"({left} {operator} {right})" if right is not None else None
        return None

    def multiple(self) -> str | None:
        for words, factor in (
            ("half of", "0.5"),
            ("half", "0.5"),
            ("twice", "2"),
            ("double", "2"),
            ("three times", "3"),
            ("a third of", "1 / 3"),
            ("a quarter of", "0.25"),
            ("a tenth of", "0.1"),
        ):
            if self.take(words):
                inner = self.power()
                self.operators += 1
                return f"{factor} * {inner}" if inner is not None else None
        return None

    def percentage(self) -> str | None:
        """Read "15% of the bill" and "15 percent of the bill"."""
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        following = (
            1 if token.kind is Kind.PERCENT else 2 if token.value is not None and self.low(1) in {"percent", "%"} else 0
        )
        if not following:
            return None
        self.at += following
        if not self.take("of"):
            return None
        inner = self.power()
        self.operators += 1
        return f"{inner} * {token.value} / 100" if inner is not None else None

    def number(self) -> str | None:
        read = quantities.number(self.tokens, self.at)
        if read is None or self.tokens[self.at].kind is Kind.PERCENT:
            return None
        self.at = read[1]
        if self.low() in _NUMBER_WORDS:
            self.at += 1
        return str(read[0])

    def name(self) -> str | None:
        while self.low() in lexicon.ARTICLES:
            self.at += 1
        words: list[str] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind is Kind.POSSESSIVE:
                words, self.at = [], self.at + 1
                continue
            if not token.is_word or token.value is not None or token.low in _STOPPING or len(words) > 4:
                break
            words.append(token.low)
            self.at += 1
        while self.take("of"):
            inner = [t.low for t in self.tokens[self.at : self.at + 3] if t.is_word and t.low not in lexicon.ARTICLES]
            skip = next(
                (
                    i
                    for i, t in enumerate(self.tokens[self.at :])
                    if not t.is_word or t.low in _STOPPING - lexicon.ARTICLES
                ),
                len(self.tokens) - self.at,
            )
            words = inner[:skip] if words in (["number"], ["amount"], ["count"]) else words
            self.at += skip
        self.unit()
        if not words or (words[0] in {"sum", "product", "difference", "average", "total", "ratio"} and len(words) == 1):
            return None
        name = morphology.name(*words)
        name = next((k for k in self.known if k == name or k.endswith(f"_{name}") or name.endswith(f"_{k}")), name)
        if name not in self.names:
            self.names.append(name)
        return name

    def unit(self) -> None:
        """Pass over "in kilograms" and "(in metres)"."""
        if self.low() == "(" and self.low(1) == "in" and self.low(3) == ")":
            self.at += 4
        elif (
            self.low() == "in"
            and self.at + 1 < len(self.tokens)
            and (self.low(1) in units.UNIT_WORDS or self.low(1) in {"years", "percent", "months", "days", "hours"})
        ):
            self.at += 2


_STOPPING: Final = frozenset(
    {
        *_SUMS,
        *_PRODUCTS,
        *lexicon.CONJUNCTIONS,
        *lexicon.PREPOSITIONS,
        "multiplied",
        "divided",
        "squared",
        "cubed",
        "raised",
        "if",
        "when",
        "where",
        "otherwise",
        "else",
        "is",
        "are",
        "equals",
        "unless",
        "rounded",
        "which",
        "that",
    }
    - {"x"}
)


def _grouped(expression: str) -> str:
    return (
        expression
        if expression.replace("_", "").replace(".", "").isalnum() or expression.startswith(("(", "sqrt("))
        else f"({expression})"
    )


def read(tokens: Sequence[Token], known: Sequence[str] = ()) -> tuple[Formula, int] | None:
    """Read a formula at the beginning of the tokens.

    Args:
        tokens: Where to read.
        known: Names of parameters that are known already, preferred for what resembles them.

    Returns:
        The formula and the position behind it, or None.
    """
    parser = _Parser(tokens, known)
    text = parser.sum()
    if text is None:
        return None
    return Formula(text, parser.names, parser.operators), parser.at
