"""Text that somebody else chose (names of netdevs and namespaces, a worker's or peer's words), as it may be shown.

A terminal, a log and journald obey control characters: such a text could colour, overwrite or forge lines. So whatever
is shown goes through `printable`; what is kept, compared and told as JSON stays as it is.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with all that does not print escaped as Python has it: ESC as `\\x1b`, U+202E as `\\u202e`.

    Spaces stay; line feeds, other controls, format characters (bidirectional ones too), surrogates don't. A byte that
    was not UTF-8 and is a surrogate now (PEP 383) shows as that byte: `\\xff`.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def printable_lines(text: str) -> str:
    """Do what `printable` does, for a text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(one: str) -> str:
    number = ord(one)
    if 0xDC80 <= number <= 0xDCFF:
        number -= 0xDC00
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def printable_json(text: str) -> str:
    """A JSON document, as json.dumps(..., ensure_ascii=False) gives it, with what does not print as JSON's escapes.

    So a program reads the same, and a terminal obeys nothing of it. The lines of an indented document stay.
    """
    if text.isprintable():
        return text
    import json  # every command imports this module, and most print no JSON

    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
