"""No file takes long to check, whatever is in it: nesting is bounded before a text is parsed, and so are problems."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from l2tpv3.config import ConfigError, load
from l2tpv3.config.nesting import LEVELS_MAX, too_deep
from l2tpv3.config.problem import PROBLEMS_MAX

MANY = 100_000
LIMIT_S = 20
"""Of CPU time. Each takes less than 2 s; what grows with the square of its length would take minutes."""


def dotted(parts: int, dot: str = ".", key: str = "a") -> str:
    return dot.join([key] * parts)


@pytest.mark.parametrize("dot", [".", " . ", "\t.", ". "])
@pytest.mark.parametrize("key", ["a", '"a.b"', "'a'", '"\\"."', "-_9"])
@pytest.mark.parametrize("around", ["{} = 1", "[{}]", "[[{}]]", "x = 1\n{} = 1", "x = {{ {} = 1 }}"])
def test_keys_of_many_parts(dot: str, key: str, around: str) -> None:
    assert too_deep(around.format(dotted(LEVELS_MAX, dot, key))) is None
    assert too_deep(around.format(dotted(LEVELS_MAX + 1, dot, key))) == around.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "# " + dotted(99), f'a = "{dotted(99)}"', f"a = '{dotted(99)}'", f'a = """{dotted(99)}"""',
        f"a = '''\n{dotted(99)}\n'''", f'a = "{"[" * 99}"', f'"{dotted(99)}" = 1', "a = [" + "[1], " * 99 + "]",
        "a = [\n" + "1.5,\n" * 99 + "]", 'a = """\\"""' + dotted(99) + '"""',
    ],
)  # fmt: skip
def test_what_is_text_is_not_nested(text: str) -> None:
    assert too_deep(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" + dotted(MANY) + "]", dotted(MANY) + " = 1", "a = {" + dotted(MANY) + " = 1}", "a = " + "[" * MANY,
        "a = " + "{b = " * MANY, "\n".join(f"k{i} = 1" for i in range(MANY)), "[" + '"' * MANY, "'" * MANY,
        '"""\\"' * MANY, "a = " + "1" * MANY, "a = 0x" + "f" * MANY, "a = [" + "1, " * MANY + "]",
        "[tunnel]\n" + "\n".join(f"k{i} = 1" for i in range(MANY)), "[[a.b]]\n" * (MANY // 4), "." * MANY,
        "\n".join(f'[tunnel.t{i}]\nremote = "192.0.2.1"\nnetns="n{i}"\nid = 1' for i in range(MANY // 50)) + "\nx = 1",
        "\n".join(f'[link.l{i}]\ntype = "bridge"\nover = ["l{i + 1}"]' for i in range(MANY // 50)) + "\nx = 1",
    ],
)  # fmt: skip
def test_no_file_takes_long_or_has_endless_problems(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    began = time.thread_time()
    with pytest.raises(ConfigError) as caught:
        load([file])
    assert time.thread_time() - began < LIMIT_S
    assert 0 < len(caught.value.problems) <= PROBLEMS_MAX
    assert len(str(caught.value)) < PROBLEMS_MAX * 1000


def test_the_first_problems_are_told_and_that_there_may_be_more(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("".join(f"k{i} = 1\n" for i in range(PROBLEMS_MAX + 5)))
    with pytest.raises(ConfigError) as caught:
        load([file])
    assert [one.line for one in caught.value.problems] == list(range(1, PROBLEMS_MAX + 1))
    assert f"the first of {PROBLEMS_MAX} or more problems" in caught.value.problem
