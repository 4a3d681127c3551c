"""Random TOML documents, and on which line each of their keys was written."""

from __future__ import annotations

from hypothesis import strategies as st

from l2tpv3.model.source import KeyPath, format_text

_SCALARS = [
    "1", "0x1F", "-1_000", "3.5e+7", "inf", "true", "1979-05-27 07:32:00", "1979-05-27T07:32:00.5-07:00", "07:32:00",
    '"text"', '""', "''", r'"a \" # [b] = {c}"', "'a \\'", '"# no = comment"', '"\\\\"', "'''x'''", '"""y"""',
    '"""\n\n[tunnel.no]\nkey = 1 # \\""" \n"""', "'''\n[no]\n'' = 2\n'''''", '"""two quotes at the end\n"""""',
    '"""a \\\n   b"""', "'''\"\"\"'''", '""""quoted\n"""', '"""\r\n"""',
]  # fmt: skip
_KEYS = ["key", "a-b_C", "1979", "with space", "dot.ted", "[x]", "= #", 'quo"te', "back\\slash", "tab\t", "ünï", ""]


class Author:
    """Writes one document as `data` draws it. text: so far. lines: of each key, by the rules of LineIndex."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.text = ""
        self._written: dict[KeyPath, int] = {}
        self._implied: dict[KeyPath, int] = {}
        self._keys = 0

    @property
    def lines(self) -> dict[KeyPath, int]:
        """Each key's line: where it is written; where it is only implied, the first that does."""
        return {**self._implied, **self._written}

    def document(self) -> None:
        """Assignments at the top, then tables and arrays of tables in turns."""
        self._assignments((), 2)
        headings = [self._path(()) for _ in range(self._int(3))]
        headings += [(*path, self._name()) for path in headings]  # below one that exists, or is implied
        headings += [(*path[:-1], self._name(), self._name()) for path in headings[:2]]
        for path in self._data.draw(st.permutations(headings)):
            self._put(self._pick(["", "\n", " \t\n", "# [comment]\n", "#\n\n", "\r\n"]))
            here = self._line
            for length in range(1, len(path)):
                self._implied.setdefault(path[:length], here)
            self._written[path] = here
            self._put(f"{self._pick(['', '  '])}[{self._pick(['', ' '])}{self._dotted(path)}{self._pick(['', ' '])}]")
            self._put(self._pick(["\n", " # ]\n", "\r\n"]))
            self._assignments(path, 3)
        self._tables(())

    def _tables(self, above: KeyPath) -> None:
        """An array of tables, maybe with another one in its elements."""
        array: KeyPath = (*above, self._name())
        for number in range(self._int(3)):
            here = self._line
            self._written.setdefault(array, here)
            self._written[(*array, number)] = here
            self._put(f"[[{self._dotted(array)}]]{self._pick(['', ' # x'])}\n")
            self._assignments((*array, number), 2)
            if len(above) < 2 and self._int(1):
                self._tables((*array, number))

    def _assignments(self, table: KeyPath, most: int) -> None:
        for _ in range(self._int(most)):
            self._put(self._pick(["", "\n", "  ", "# key = 1\n", '\t# """\n']))
            self._assignment(table, inline=False)
            self._put(self._pick(["\n", " # '''\n", "\r\n"]))

    def _assignment(self, table: KeyPath, *, inline: bool) -> None:
        path = self._path(table)
        for length in range(len(table) + 1, len(path)):
            self._implied.setdefault(path[:length], self._line)
        self._written[path] = self._line
        self._put(self._dotted(path[len(table) :]) + self._pick([" = ", "=", "\t =  "]))
        self._value(path, 2 if not inline else 1)

    def _value(self, path: KeyPath, depth: int) -> None:
        kind = self._pick(["scalar", "scalar", "array", "table"]) if depth else "scalar"
        if kind == "scalar":
            self._put(self._pick(_SCALARS))
        elif kind == "array":
            self._array(path, depth)
        else:
            self._put("{" + self._pick(["", " "]))
            for number in range(self._int(3)):
                self._put(", " if number else "")
                self._assignment(path, inline=True)
            self._put(self._pick(["", " "]) + "}")

    def _array(self, path: KeyPath, depth: int) -> None:
        def blank() -> None:
            self._put(self._pick(["", " ", "\n", " # ],\n\n  "]))

        self._put("[")
        blank()
        count = self._int(3)
        for number in range(count):
            self._written[(*path, number)] = self._line
            self._value((*path, number), depth - 1)
            blank()
            if number < count - 1 or self._int(1):
                self._put(",")
                blank()
        self._put("]")

    def _path(self, above: KeyPath) -> KeyPath:
        return (*above, *(self._name() for _ in range(1 + self._int(2))))

    def _name(self) -> str:
        self._keys += 1  # each key is new, so nothing is defined twice
        return f"{self._pick(_KEYS)}{self._keys}"

    def _dotted(self, path: KeyPath) -> str:
        dot = self._pick([".", " . "])
        return dot.join(self._key(key) for key in path if isinstance(key, str))

    def _key(self, key: str) -> str:
        forms = [format_text(key)]
        if key.replace("-", "").replace("_", "").isalnum() and key.isascii():
            forms += [key, key]
        if "\t" not in key:
            forms.append(f"'{key}'")
        forms.append('"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"')
        return self._pick(forms)

    @property
    def _line(self) -> int:
        return self.text.count("\n") + 1

    def _put(self, text: str) -> None:
        self.text += text

    def _int(self, most: int) -> int:
        return self._data.draw(st.integers(0, most))

    def _pick(self, choices: list[str]) -> str:
        return self._data.draw(st.sampled_from(choices))


def key_paths(value: object, above: KeyPath = ()) -> list[KeyPath]:
    """Every key in what tomllib made of a document, tables' and arrays' elements too."""
    if isinstance(value, dict):
        children: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        return []
    return [path for key, child in children for path in ((*above, key), *key_paths(child, (*above, key)))]
