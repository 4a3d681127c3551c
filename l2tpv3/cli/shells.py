"""Shell completion: the scripts for bash, zsh and fish, how they are installed, and what they are answered.

The names of the environment variables, and what is answered, are those of the scripts that are installed already.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2tpv3.errors import InvalidValueError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_BASH = """\
_l2tpctl_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _L2TPCTL_COMPLETE=complete_bash "$1" ) )
}

complete -o default -F _l2tpctl_completion l2tpctl
"""
_ZSH = """\
#compdef l2tpctl

_l2tpctl_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _L2TPCTL_COMPLETE=complete_zsh l2tpctl)"
}

compdef _l2tpctl_completion l2tpctl
"""
_ASK_FISH = (
    "env _L2TPCTL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION={} _TYPER_COMPLETE_ARGS=(commandline -cp) l2tpctl"
)
_FISH = (
    f'complete --command l2tpctl --no-files --arguments "({_ASK_FISH.format("get-args")})"'
    f' --condition "{_ASK_FISH.format("is-args")}"\n'
)
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_FILES = {
    "bash": ".bash_completions/l2tpctl.sh",
    "zsh": ".zfunc/_l2tpctl",
    "fish": ".config/fish/completions/l2tpctl.fish",
}
"""The path of each shell's completion script, below the home directory."""
_THIS_SHELL = "this shell"


def options() -> list[click.Option]:
    """`--install-completion` and `--show-completion`, for the shell that is named, else the one that runs this."""
    common: dict[str, Any] = {
        "is_flag": False,
        "flag_value": _THIS_SHELL,
        "expose_value": False,
        "is_eager": True,
        "metavar": "[SHELL]",
    }
    return [
        click.Option(
            ["--install-completion"], help="Install completion for the current shell.", callback=_install, **common
        ),
        click.Option(
            ["--show-completion"],
            help="Show completion for the current shell, to copy it or customize the installation.",
            callback=_show,
            **common,
        ),
    ]


def complete(root: click.Command, instruction: str, invocation: object) -> int:
    """Answer a script, which asks by `instruction`: complete_bash, complete_zsh or complete_fish. Gives the exit code.

    Where fish asks whether there is anything to offer, that is 0 or 1.
    """
    from click.shell_completion import ShellComplete, split_arg_string

    shell = instruction.removeprefix("complete_")
    if shell not in _SCRIPTS:
        return 1
    line = os.environ.get("COMP_WORDS" if shell == "bash" else "_TYPER_COMPLETE_ARGS", "")
    words = split_arg_string(line)
    at = len(words) - (not line.endswith(" "))
    if shell == "bash":
        at = int(os.environ.get("COMP_CWORD", at))
    incomplete = words[at] if at < len(words) else ""
    found = ShellComplete(root, {"obj": invocation}, "l2tpctl", "").get_completions(words[1:at], incomplete)
    if shell == "fish" and os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    if shell == "zsh":
        print(_for_zsh(found))
    elif found:
        print("\n".join(item.value if shell == "bash" else _for_fish(item) for item in found))
    return 0


def _for_zsh(found: list[CompletionItem[str]]) -> str:
    """A command for zsh to evaluate."""
    if not found:
        return "_files"
    words = "\n".join(f'"{_quoted(one.value)}"' + (f':"{_quoted(one.help)}"' if one.help else "") for one in found)
    return f"_arguments '*: :(({words}))'"


def _quoted(text: str) -> str:
    """Escape a text for the place between the quotes of _for_zsh."""
    for special, escaped in (('"', '""'), ("'", "''"), ("$", "\\$"), ("`", "\\`"), (":", "\\\\:")):
        text = text.replace(special, escaped)
    return text


def _for_fish(item: CompletionItem[str]) -> str:
    return f"{item.value}\t{' '.join(item.help.split())}" if item.help else item.value


def _show(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        print(_SCRIPTS[_shell(value)], end="")
        ctx.exit()


def _install(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    shell = _shell(value)
    home = Path.home()
    script = home / _FILES[shell]
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_SCRIPTS[shell])
    if shell == "bash":
        line = f"source '{script}'"
        _add_lines(home / ".bashrc", {line: line})
    elif shell == "zsh":
        line = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"
        _add_lines(home / ".zshrc", {line: line, "zstyle": "zstyle ':completion:*' menu select"})
    print(f"{shell} completion installed in {script}")
    print("Completion will take effect once you restart the terminal")
    ctx.exit()


def _add_lines(file: Path, lines: Mapping[str, str]) -> None:
    """Add each line to the file, unless it has the text that is the line's key."""
    text = file.read_text() if file.is_file() else ""
    for mark, line in lines.items():
        if mark not in text:
            text += f"\n{line}\n"
    file.write_text(text)


def _shell(named: str) -> str:
    """The shell that was named, or this process was started by. Raises InvalidValueError."""
    shell = named
    if named == _THIS_SHELL:
        import shellingham

        try:
            shell = shellingham.detect_shell()[0]
        except shellingham.ShellDetectionFailure:
            shell = "this program's parent"
    if shell not in _SCRIPTS:
        raise InvalidValueError("completion", f"there is none for {shell}", f"give {', '.join(_SCRIPTS)}")
    return shell
