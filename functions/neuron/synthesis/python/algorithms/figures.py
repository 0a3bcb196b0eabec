"""Algorithms that tell one figure of many numbers, or a list of them."""

from __future__ import annotations

import math
import statistics


def mean(numbers: list[float]) -> float:
    """Compute the mean of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return statistics.fmean(numbers)


def median(numbers: list[float]) -> float:
    """Compute the median of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.median(numbers))


def mode(numbers: list[float]) -> float:
    """Find the most frequent number, the first of several."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return statistics.mode(numbers)


def variance(numbers: list[float]) -> float:
    """Compute the population variance of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.pvariance(numbers))


def standard_deviation(numbers: list[float]) -> float:
    """Compute the population standard deviation of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.pstdev(numbers))


def minimum(numbers: list[float]) -> float:
    """Find the smallest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return min(numbers)


def maximum(numbers: list[float]) -> float:
    """Find the largest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return max(numbers)


def value_range(numbers: list[float]) -> float:
    """Compute the difference between the largest and the smallest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return max(numbers) - min(numbers)


def total(numbers: list[float]) -> float:
    """Add numbers."""
    return math.fsum(numbers)


def product(numbers: list[float]) -> float:
    """Multiply numbers."""
    return math.prod(numbers)


def count_numbers(numbers: list[float]) -> int:
    """Count numbers."""
    return len(numbers)


def sort_numbers(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first."""
    return sorted(numbers)


def percentile(numbers: list[float], percent: float) -> float:
    """Find the value below which a percentage of numbers lies, interpolated linearly."""
    if not numbers or not 0 <= percent <= 100:
        raise ValueError("There must be at least one number, and a percentage between 0 and 100.")
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def moving_average(numbers: list[float], window: int) -> list[float]:
    """List the means of every window of neighbouring numbers."""
    if not 1 <= window <= len(numbers):
        raise ValueError("The window must lie between 1 and the count of numbers.")
    return [math.fsum(numbers[i : i + window]) / window for i in range(len(numbers) - window + 1)]


def sample_variance(numbers: list[float]) -> float:
    """Compute the sample variance of at least two numbers."""
    if len(numbers) < 2:
        raise ValueError("At least two numbers are needed.")
    return float(statistics.variance(numbers))


def sample_standard_deviation(numbers: list[float]) -> float:
    """Compute the sample standard deviation of at least two numbers."""
    if len(numbers) < 2:
        raise ValueError("At least two numbers are needed.")
    return float(statistics.stdev(numbers))
