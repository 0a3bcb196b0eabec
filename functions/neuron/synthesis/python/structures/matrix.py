"""Matrices of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Matrix:
    """A matrix that does not change; `+`, `-`, `*` (by a number) and `@` (by a matrix) give new ones.

    Raises:
        ValueError: It has no rows or columns, or its rows differ in length.

    Examples:
        >>> a = Matrix([[1, 2], [3, 4]])
        >>> (a @ Matrix.identity(2)).rows()
        [[1, 2], [3, 4]]
        >>> a.transpose().rows()
        [[1, 3], [2, 4]]
        >>> a.determinant()
        -2.0
    """

    def __init__(self, rows: Iterable[Sequence[float]]) -> None:
        self._rows = tuple(tuple(row) for row in rows)
        if not self._rows or not self._rows[0]:
            raise ValueError("A matrix needs at least one row and one column.")
        if len({len(row) for row in self._rows}) > 1:
            raise ValueError("The rows of a matrix must have the same length.")

    @classmethod
    def identity(cls, size: int) -> Matrix:
        """Give the identity matrix of a size.

        Raises:
            ValueError: The size is below 1.
        """
        return cls([[int(i == j) for j in range(size)] for i in range(size)])

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return len(self._rows), len(self._rows[0])

    def rows(self) -> list[list[float]]:
        """List the rows."""
        return [list(row) for row in self._rows]

    def add(self, other: Matrix) -> Matrix:
        """Add a matrix of the same shape.

        Raises:
            ValueError: The shapes differ.
        """
        self._alike(other)
        return Matrix(
            [[a + b for a, b in zip(r, s, strict=True)] for r, s in zip(self._rows, other._rows, strict=True)]
        )

    def subtract(self, other: Matrix) -> Matrix:
        """Subtract a matrix of the same shape.

        Raises:
            ValueError: The shapes differ.
        """
        return self.add(other.scale(-1))

    def scale(self, factor: float) -> Matrix:
        """Multiply every element by a number."""
        return Matrix([[factor * a for a in row] for row in self._rows])

    def multiply(self, other: Matrix) -> Matrix:
        """Multiply by a matrix that has as many rows as this one has columns.

        Raises:
            ValueError: It has another number of rows.
        """
        if self.shape[1] != other.shape[0]:
            raise ValueError("The second matrix must have as many rows as the first has columns.")
        columns = list(zip(*other._rows, strict=True))
        return Matrix([[sum(a * b for a, b in zip(row, c, strict=True)) for c in columns] for row in self._rows])

    def transpose(self) -> Matrix:
        """Turn rows into columns."""
        return Matrix(list(zip(*self._rows, strict=True)))

    def determinant(self) -> float:
        """Compute the determinant by elimination with the largest pivot.

        Raises:
            ValueError: The matrix is not square.
        """
        size = self._square()
        left = [[float(a) for a in row] for row in self._rows]
        result = 1.0
        for i in range(size):
            pivot = max(range(i, size), key=lambda row: abs(left[row][i]))
            if left[pivot][i] == 0:
                return 0.0
            if pivot != i:
                left[i], left[pivot] = left[pivot], left[i]
                result = -result
            result *= left[i][i]
            for row in range(i + 1, size):
                factor = left[row][i] / left[i][i]
                left[row] = [a - factor * b for a, b in zip(left[row], left[i], strict=True)]
        return result

    def inverse(self) -> Matrix:
        """Compute the inverse by elimination with the largest pivot.

        Raises:
            ValueError: The matrix is not square, or has no inverse.
        """
        size = self._square()
        both = [[*map(float, row), *(float(i == j) for j in range(size))] for i, row in enumerate(self._rows)]
        for i in range(size):
            pivot = max(range(i, size), key=lambda row: abs(both[row][i]))
            if both[pivot][i] == 0:
                raise ValueError("The matrix has no inverse.")
            both[i], both[pivot] = both[pivot], both[i]
            both[i] = [a / both[i][i] for a in both[i]]
            for row in range(size):
                factor = both[row][i] if row != i else 0.0
                both[row] = [a - factor * b for a, b in zip(both[row], both[i], strict=True)]
        return Matrix([row[size:] for row in both])

    def __add__(self, other: Matrix) -> Matrix:
        return self.add(other)

    def __sub__(self, other: Matrix) -> Matrix:
        return self.subtract(other)

    def __mul__(self, factor: float) -> Matrix:
        return self.scale(factor)

    def __rmul__(self, factor: float) -> Matrix:
        return self.scale(factor)

    def __matmul__(self, other: Matrix) -> Matrix:
        return self.multiply(other)

    def __getitem__(self, at: tuple[int, int]) -> float:
        return self._rows[at[0]][at[1]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matrix) and self._rows == other._rows

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        return f"Matrix({self.rows()})"

    def _alike(self, other: Matrix) -> None:
        if self.shape != other.shape:
            raise ValueError("The matrices must have the same shape.")

    def _square(self) -> int:
        rows, columns = self.shape
        if rows != columns:
            raise ValueError("The matrix must be square.")
        return rows
