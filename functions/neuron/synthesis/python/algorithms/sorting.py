"""Algorithms that search lists of numbers and sort them."""

from __future__ import annotations

import itertools


def binary_search(numbers: list[float], wanted: float) -> int:
    """Give the place of a number in a sorted list, counted from 0; -1 when it is not there."""
    if any(first > second for first, second in itertools.pairwise(numbers)):
        raise ValueError("The numbers must be sorted, smallest first.")
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(numbers) and numbers[low] == wanted else -1


def linear_search(numbers: list[float], wanted: float) -> int:
    """Give the first place of a number in a list, counted from 0; -1 when it is not there."""
    return next((i for i, number in enumerate(numbers) if number == wanted), -1)


def merge_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: sort both halves, then merge them."""
    if len(numbers) < 2:
        return list(numbers)
    middle = len(numbers) // 2
    left, right = merge_sort(numbers[:middle]), merge_sort(numbers[middle:])
    merged: list[float] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if right[j] < left[i]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return [*merged, *left[i:], *right[j:]]


def quick_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: part them around the middle one, then sort both parts."""
    parts = [list(numbers)]
    done: list[float] = []
    while parts:
        part = parts.pop()
        if not part or min(part) == max(part):
            done += part
            continue
        pivot = part[len(part) // 2]
        parts.append([number for number in part if number > pivot])
        parts.append([number for number in part if number == pivot])
        parts.append([number for number in part if number < pivot])
    return done


def bubble_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: exchange neighbours until none are in the wrong order."""
    found = list(numbers)
    for end in range(len(found) - 1, 0, -1):
        for i in range(end):
            if found[i] > found[i + 1]:
                found[i], found[i + 1] = found[i + 1], found[i]
    return found


def insertion_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: insert one after the other where it belongs."""
    found: list[float] = []
    for number in numbers:
        at = len(found)
        while at > 0 and found[at - 1] > number:
            at -= 1
        found.insert(at, number)
    return found


def selection_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: take the smallest of the rest, again and again."""
    found = list(numbers)
    for i in range(len(found)):
        smallest = min(range(i, len(found)), key=lambda place: found[place])
        found[i], found[smallest] = found[smallest], found[i]
    return found
