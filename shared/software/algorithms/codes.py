"""Algorithms that write texts in codes and read them: ciphers, Morse, run lengths, Base64."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import TEXT, example, of_text, parameter, refused
from shared.software.specification import FieldType

_SHIFT: Final = (TEXT, parameter("shift", FieldType.INTEGER))

ALGORITHMS: Final = (
    Algorithm(
        "caesar_encrypt",
        "Shift every letter forward in the alphabet",
        _SHIFT,
        FieldType.TEXT,
        None,
        (example("Dbc!", text="Ayz!", shift=3),),
    ),
    Algorithm(
        "caesar_decrypt",
        "Shift every letter back in the alphabet",
        _SHIFT,
        FieldType.TEXT,
        None,
        (example("Ayz!", text="Dbc!", shift=3),),
    ),
    of_text("rot13", "Shift every letter by 13 places", FieldType.TEXT, example("Uryyb", text="Hello")),
    of_text(
        "to_morse",
        "Write a text in Morse code; words are parted by /",
        FieldType.STRING,
        example("... --- ... / .-", text="SOS a"),
        refused(text="ä"),
    ),
    of_text(
        "from_morse",
        "Read Morse code",
        FieldType.STRING,
        example("SOS A", text="... --- ... / .-"),
        refused(text="........"),
    ),
    of_text(
        "run_length_encode",
        "Write every run of a character as its length and the character",
        FieldType.STRING,
        example("3a1b", text="aaab"),
        example("", text=""),
    ),
    of_text(
        "run_length_decode",
        "Expand lengths and characters",
        FieldType.STRING,
        example("aaab", text="3a1b"),
        refused(text="a3"),
    ),
    of_text(
        "base64_encode", "Encode a text (UTF-8) in Base64 (RFC 4648)", FieldType.STRING, example("aGk=", text="hi")
    ),
    of_text(
        "base64_decode",
        "Decode Base64 (RFC 4648) to a text (UTF-8)",
        FieldType.TEXT,
        example("hi", text="aGk="),
        refused(text="a"),
    ),
)
