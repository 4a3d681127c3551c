"""Brings what was typed into the form that the tree of commands takes, as habits from other programs differ from it."""

from __future__ import annotations

from collections.abc import Sequence

GROUPS = ("tunnel", "session", "link", "token")
"""Commands that have commands of their own; alone they stand for their `show`."""

VALUED = ("--host", "--token-file", "--ca", "--cert", "--key")
"""The options before a command that are followed by a value."""

JSON = ("--json", "-j")
_HELP = ("--help", "-h")
_NO_JSON = ("ip-l2tp", "help", "version")


class Typed:
    """A command line taken apart: options before the command, the command's words (`tunnel`, `show`), all behind it.

    json: `--json` or `-j` was given, wherever.
    """

    def __init__(self) -> None:
        self.before: list[str] = []
        self.command: list[str] = []
        self.behind: list[str] = []
        self.json = False

    @classmethod
    def of(cls, argv: Sequence[str]) -> Typed:
        """Take a command line apart. It may be anything: what is wrong with it is for the tree of commands to say."""
        typed = cls()
        words = list(argv)
        early = typed._take_before(words) + typed._take_command(words)
        typed.behind = words
        options = words[: words.index("--")] if "--" in words else words
        typed.json = bool(early) or any(word in JSON for word in options)
        if early and typed.command[:1] not in ([name] for name in _NO_JSON):
            typed.behind = ["--json", *words]
        elif early:
            typed.before += early  # what has no JSON says so itself
        typed.json = typed.json and typed.command[:1] != ["ip-l2tp"]
        return typed

    def _take_before(self, words: list[str]) -> list[str]:
        """Move the options before the command out of `words`; those for JSON are given back."""
        early: list[str] = []
        while words and words[0].startswith("-") and words[0] != "--":
            word = words.pop(0)
            (early if word in JSON else self.before).append(word)
            if word in VALUED and words:
                self.before.append(words.pop(0))
        return early

    def _take_command(self, words: list[str]) -> list[str]:
        """Move the command out of `words`; options for JSON between a group and its command are given back."""
        early: list[str] = []
        if words and words[0] != "--":
            self.command.append(words.pop(0))
        if self.command and self.command[0] in GROUPS:
            while words and words[0] in JSON:
                early.append(words.pop(0))
            if words and not words[0].startswith("-"):
                self.command.append(words.pop(0))
        return early

    @property
    def argv(self) -> list[str]:
        """The command line for the tree of commands."""
        if self.command == ["help"]:
            wanted = [word for word in self.behind if not word.startswith("-")]
            return [*self.before, *wanted, "--help"]
        if self.command == ["version"] and not self.behind:
            return ["--version"]
        if len(self.command) == 1 and self.command[0] in GROUPS and not {*self.behind} & {*_HELP}:
            return [*self.before, *self.command, "show", *self.behind]
        return [*self.before, *self.command, *self.behind]
