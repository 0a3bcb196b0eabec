"""Reads codes that texts are written in and read from: Roman numerals, Morse, base64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.computing import computations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token
# noun -> (algorithm that writes it, algorithm that reads it)
_CODES: Final[dict[str, tuple[str, str]]] = {
    "roman": ("to_roman", "from_roman"),
    "binary": ("to_binary", "from_binary"),
    "hexadecimal": ("to_hexadecimal", "from_hexadecimal"),
    "hex": ("to_hexadecimal", "from_hexadecimal"),
    "octal": ("to_octal", "from_octal"),
    "morse": ("to_morse", "from_morse"),
    "base64": ("base64_encode", "base64_decode"),
    "caesar": ("caesar_encrypt", "caesar_decrypt"),
    "run-length": ("run_length_encode", "run_length_decode"),
}
_WRITING: Final = frozenset({"encode", "encrypt", "encipher", "compress", "encoding", "encrypts"})
_READING: Final = lexicon.words("decode decrypt decipher decompress parse expand decoding")


def coded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "converts numbers to Roman numerals and back", "decode Morse code", "Caesar cipher encryption"."""
    bag = computations.lemmas_of(words)
    lows = [token.low for token in words]
    found = False
    for noun, (writes, reads) in _CODES.items():
        at = next(
            (
                i
                for i, low in enumerate(lows)
                if (low == noun and not {"search", "tree", "heap"} & set(lows[i + 1 : i + 2]))
                or (low.startswith(noun) and noun in {"roman", "run-length"})
            ),
            None,
        )
        if at is None and noun == "run-length":
            at = next((i for i in range(len(lows)) if quantities.phrase(words, i, "run length") is not None), None)
        if at is None:
            continue
        writing = bool(bag & _WRITING) or any(low in {"to", "into", "in", "as"} for low in lows[max(0, at - 3) : at])
        reading = bool(bag & _READING) or any(low in {"to", "into"} for low in lows[at + 1 : at + 5])
        both = bool({"back", "versa", "between", "both"} & bag) or writing == reading
        for wanted, name in ((writing or both, writes), (reading or both, reads)):
            if wanted:
                found = computations.algorithm(draft, name) or found
    return found
