"""Algorithms that count in texts and that change them."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import TEXT, example, of_text, parameter, refused
from shared.software.specification import FieldType

ALGORITHMS: Final = (
    of_text(
        "count_words",
        "Count the words of a text",
        FieldType.INTEGER,
        example(3, text="one two  three\n"),
        example(0, text=""),
    ),
    of_text(
        "count_lines", "Count the lines of a text", FieldType.INTEGER, example(2, text="a\nb\n"), example(0, text="")
    ),
    of_text(
        "count_characters",
        "Count the characters of a text",
        FieldType.INTEGER,
        example(5, text="a b\nc"),
        example(0, text=""),
    ),
    of_text("count_letters", "Count the letters of a text", FieldType.INTEGER, example(3, text="a b\nc1")),
    of_text(
        "count_sentences",
        "Count the sentences of a text",
        FieldType.INTEGER,
        example(2, text="One. Two!"),
        example(0, text=""),
    ),
    of_text(
        "count_paragraphs",
        "Count the paragraphs of a text, which empty lines part",
        FieldType.INTEGER,
        example(2, text="a\nb\n\n\nc\n"),
    ),
    of_text("count_vowels", "Count the vowels of a text", FieldType.INTEGER, example(5, text="Education")),
    of_text("count_consonants", "Count the consonants of a text", FieldType.INTEGER, example(3, text="Hello")),
    of_text(
        "count_unique_words",
        "Count the different words of a text, without regard to case",
        FieldType.INTEGER,
        example(2, text="a b A"),
    ),
    Algorithm(
        "count_occurrences",
        "Count how often a part occurs in a text, without overlap",
        (TEXT, parameter("part", FieldType.STRING)),
        FieldType.INTEGER,
        None,
        (example(2, text="banana", part="an"), refused(text="a", part="")),
    ),
    Algorithm(
        "word_frequencies",
        "List the words of a text with their counts, the most frequent first, without regard to case",
        (TEXT, parameter("limit", FieldType.INTEGER, 1, 10)),
        FieldType.LIST,
        FieldType.STRING,
        (example(("a 2", "b 1"), text="b a A", limit=10),),
    ),
    Algorithm(
        "character_frequencies",
        "List the characters of a text with their counts, the most frequent first",
        (TEXT,),
        FieldType.LIST,
        FieldType.STRING,
        (example(("a 2", "b 1"), text="aba"),),
    ),
    of_text(
        "longest_word",
        "Find the longest word of a text, the first of several",
        FieldType.STRING,
        example("three", text="one three seven"),
        example("", text=""),
    ),
    of_text(
        "average_word_length",
        "Compute the average length of the words of a text",
        FieldType.NUMBER,
        example(2.0, text="a bbb"),
        example(0.0, text=""),
    ),
    of_text("reverse_text", "Reverse a text", FieldType.TEXT, example("cba", text="abc")),
    of_text(
        "reverse_words", "Put the words of a text in reverse order", FieldType.TEXT, example("c b a", text="a b c")
    ),
    of_text("uppercase", "Write a text in upper case", FieldType.TEXT, example("ABC", text="aBc")),
    of_text("lowercase", "Write a text in lower case", FieldType.TEXT, example("abc", text="aBC")),
    of_text("title_case", "Capitalise every word of a text", FieldType.TEXT, example("One Two's", text="one tWO's")),
    of_text("capitalize", "Capitalise the first letter of a text", FieldType.TEXT, example("Abc def", text="abc def")),
    of_text("swap_case", "Exchange upper and lower case", FieldType.TEXT, example("aBC", text="Abc")),
    of_text(
        "snake_case",
        "Write words in snake_case",
        FieldType.STRING,
        example("user_name", text="userName"),
        example("user_name", text="User name"),
    ),
    of_text("camel_case", "Write words in camelCase", FieldType.STRING, example("userName", text="user_name")),
    of_text("pascal_case", "Write words in PascalCase", FieldType.STRING, example("UserName", text="user name")),
    of_text("kebab_case", "Write words in kebab-case", FieldType.STRING, example("user-name", text="userName")),
    of_text(
        "slugify",
        "Make a text fit for an address: lower-case ASCII letters, digits and single hyphens",
        FieldType.STRING,
        example("hello-world", text="Héllo, World!"),
    ),
    of_text(
        "normalize_whitespace",
        "Trim a text and make every run of white space one space",
        FieldType.TEXT,
        example("a b", text="  a \n b "),
    ),
    of_text(
        "remove_punctuation", "Remove ASCII punctuation from a text", FieldType.TEXT, example("ab c", text="a,b. c!")
    ),
    of_text("remove_vowels", "Remove the vowels of a text", FieldType.TEXT, example("Hll", text="Hello")),
    of_text(
        "remove_duplicate_lines", "Remove lines that occurred before", FieldType.TEXT, example("a\nb", text="a\nb\na")
    ),
    of_text(
        "remove_blank_lines",
        "Remove the lines that hold nothing but white space",
        FieldType.TEXT,
        example("a\nb", text="a\n\n \nb"),
    ),
    of_text("sort_lines", "Sort the lines of a text", FieldType.TEXT, example("a\nb", text="b\na")),
    of_text("number_lines", "Number the lines of a text", FieldType.TEXT, example("1: a\n2: b", text="a\nb")),
    of_text("reverse_lines", "Put the lines of a text in reverse order", FieldType.TEXT, example("b\na", text="a\nb")),
    Algorithm(
        "truncate_text",
        "Cut a text to a length, ending in … when something was cut",
        (TEXT, parameter("length", FieldType.INTEGER, 1)),
        FieldType.TEXT,
        None,
        (example("ab…", text="abcdef", length=3), example("abc", text="abc", length=3)),
    ),
    Algorithm(
        "wrap_text",
        "Break lines so that none is longer than a width",
        (TEXT, parameter("width", FieldType.INTEGER, 1, 80)),
        FieldType.TEXT,
        None,
        (example("aa\nbb", text="aa bb", width=3),),
    ),
    Algorithm(
        "replace_text",
        "Replace every occurrence of a part of a text",
        (TEXT, parameter("part", FieldType.STRING), parameter("replacement", FieldType.STRING)),
        FieldType.TEXT,
        None,
        (example("bb", text="aa", part="a", replacement="b"), refused(text="a", part="", replacement="b")),
    ),
)
