"""Algorithms of whole numbers: divisors, primes, sequences, digits, combinations."""

from __future__ import annotations

import math


def is_prime(number: int) -> bool:
    """Tell whether a number is prime."""
    if number < 2:
        return False
    return all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def prime_factors(number: int) -> list[int]:
    """List the prime factors of a number, smallest first."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    factors: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors


def primes_up_to(limit: int) -> list[int]:
    """List the primes up to a limit."""
    if not 0 <= limit <= 1_000_000:
        raise ValueError("The limit must lie between 0 and 1000000.")
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, math.isqrt(limit) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return [number for number in range(2, limit + 1) if sieve[number]]


def divisors(number: int) -> list[int]:
    """List the divisors of a number, smallest first."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return sorted({*small, *(number // divisor for divisor in small)})


def factorial(number: int) -> int:
    """Compute the factorial of a number."""
    if not 0 <= number <= 1000:
        raise ValueError("The number must lie between 0 and 1000.")
    return math.factorial(number)


def fibonacci(index: int) -> int:
    """Compute the Fibonacci number of an index; the one of 0 is 0."""
    if not 0 <= index <= 10_000:
        raise ValueError("The index must lie between 0 and 10000.")
    first, second = 0, 1
    for _ in range(index):
        first, second = second, first + second
    return first


def fibonacci_sequence(count: int) -> list[int]:
    """List the first Fibonacci numbers."""
    if not 0 <= count <= 1000:
        raise ValueError("The count must lie between 0 and 1000.")
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:count]


def greatest_common_divisor(first: int, second: int) -> int:
    """Compute the greatest common divisor of two numbers."""
    return math.gcd(first, second)


def least_common_multiple(first: int, second: int) -> int:
    """Compute the least common multiple of two numbers."""
    return math.lcm(first, second)


def digit_sum(number: int) -> int:
    """Add the digits of a number."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    return sum(int(digit) for digit in str(number))


def is_perfect_number(number: int) -> bool:
    """Tell whether a number is the sum of its proper divisors."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    small = {divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0}
    return sum({*small, *(number // divisor for divisor in small)}) == 2 * number


def is_armstrong_number(number: int) -> bool:
    """Tell whether a number is the sum of its digits, each to the power of their count."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    digits = [int(digit) for digit in str(number)]
    return sum(int(math.pow(digit, len(digits))) for digit in digits) == number


def collatz_steps(number: int) -> int:
    """Count the steps of the Collatz sequence from a number to 1."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    steps = 0
    while number != 1:
        number = number * 3 + 1 if number % 2 else number // 2
        steps += 1
    return steps


def count_combinations(of: int, chosen: int) -> int:
    """Count the ways to choose some of several things without order (binomial coefficient)."""
    if not (0 <= of <= 1000 and 0 <= chosen <= 1000):
        raise ValueError("The numbers must be from 0 to 1000.")
    return math.comb(of, chosen)


def count_permutations(of: int, chosen: int) -> int:
    """Count the ways to put some of several things in order."""
    if not (0 <= of <= 1000 and 0 <= chosen <= 1000):
        raise ValueError("The numbers must be from 0 to 1000.")
    return math.perm(of, chosen)
