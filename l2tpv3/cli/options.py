"""The options and arguments, with help and completion; each value stays the text that was typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any

from l2tpv3.cli import completion
from l2tpv3.cli.parameters import Argument, Files, Option
from l2tpv3.model.fields import SECRETS, Field

TunnelName = Annotated[str, Argument(metavar="TUNNEL", help="The tunnel's name.", complete=completion.tunnels)]
TunnelNames = Annotated[
    list[str], Argument(metavar="TUNNEL...", help="The tunnels' names.", complete=completion.tunnels)
]
NewTunnel = Annotated[str, Argument(metavar="NAME", help="A name for the tunnel, of your choice.")]
NewSession = Annotated[str, Argument(metavar="NAME", help="A name for the session, unique in its tunnel.")]
SessionName = Annotated[str, Argument(metavar="NAME", help="The session's name.", complete=completion.sessions)]
SessionNames = Annotated[
    list[str], Argument(metavar="NAME...", help="The sessions' names.", complete=completion.sessions)
]
AnyTunnel = Annotated[
    str | None,
    Argument(metavar="TUNNEL", help="Only this tunnel; a pattern such as 'site*' does.", complete=completion.tunnels),
]
AnySession = Annotated[
    str | None,
    Argument(metavar="NAME", help="Only this session; a pattern such as 'l*' does.", complete=completion.sessions),
]

Transient = Annotated[bool, Option("--transient", help="Not to be restored after a reboot.")]

Json = Annotated[bool, Option("--json", "-j", help="Print JSON.")]
ShowSecrets = Annotated[bool, Option("--show-secrets", help="Print cookies in clear.")]


_FLAGS = ("transient", "json", "show_secrets")
"""Parameters that a command has behind those of fields."""


def declared(field: Field, *, help: str = "") -> Option:
    """The option of a field. help: what to say instead of the field's own."""
    about = help or field.help
    if not field.metavar:
        return Option(f"--{field.word}/--down", help=f"{about} [default: {field.word}]")
    if field.said_default:
        about += f" [default: {field.said_default}]"
    words = [word for word in field.metavar.split("|") if word != word.upper()]
    offer = getattr(completion, field.complete) if field.complete else None
    if offer is None and words:
        offer = completion.choice(*words)
    files = Files.SECRET if field.secret else None
    return Option(f"--{field.word}", metavar=field.metavar, help=about, complete=offer, files=files)


def option(field: Field, *, help: str = "", required: bool = False) -> Any:
    """The annotation of a parameter that is a field's option."""
    made = declared(field, help=help)
    if not field.metavar:
        return Annotated[bool | None, made]
    if field.many:
        return Annotated[list[str] | None, made]
    return Annotated[str, made] if required else Annotated[str | None, made]


def with_fields(fields: Iterable[Field], *, new: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command with an option for each field in the place of its `**words`.

    new: the command makes what has these fields, so that those which are required have to be given.
    """
    needed = {field.word for field in fields if new and field.required}
    return with_options({field.word: option(field, required=field.word in needed) for field in fields}, needed)


def with_options(
    options: Mapping[str, Any], needed: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command with these options, by their words, in the place of its `**words`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        words = []
        for word, annotation in options.items():
            parameter = inspect.Parameter(
                word.replace("-", "_"), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
            words.append(parameter.replace(default=inspect.Parameter.empty) if word in needed else parameter)
        first = [one for one in own if one.name not in _FLAGS]
        last = [one for one in own if one.name in _FLAGS]
        command.__signature__ = signature.replace(parameters=[*first, *words, *last])  # type: ignore[attr-defined]
        return command

    return decorate


def given(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that were given, for the host: option_name=value → "option-name": value.

    A cookie or key given as @FILE is read here, so that its text never leaves this process. Raises InvalidValueError.
    """
    found = {name.replace("_", "-"): value for name, value in words.items() if value not in (None, (), [])}
    for word in SECRETS:
        if word in found:
            from l2tpv3.model import ids

            found[word] = ids.SECRET_READERS[word](found[word], f"--{word}")
    if "address" in found:
        found["address"] = list(found["address"])
    return found


def reset(words: dict[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    """Change the words for `set`: None, or an empty list, stands where a word is to go back to its default."""
    for field in fields:
        if field.unset and words.get(field.word) in (field.unset, [field.unset]):
            words[field.word] = [] if field.many else None
    return words
