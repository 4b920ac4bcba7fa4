"""`engine completion SHELL`: the script by which a shell completes command lines of `engine`.

The script asks `engine completion words SHELL LINE` at each TAB, which is answered from the files of
`configs/` and the schemas alone: without Hydra, JAX or YAML, in less than a tenth of a second.
"""

from __future__ import annotations

from engine.cli.command import WordCommand
from engine.cli.typed import typed
from engine.model.naming import one_of

# Bash's own words end at signs such as = too, and it takes what follows; a space ends what is finished.
BASH = r"""_engine() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]/#\~/$HOME}" completion words bash \
        "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o nospace -F _engine engine ./scripts/engine scripts/engine
"""
ZSH = r"""#compdef engine
_engine() {
    local -a found
    found=("${(@f)$(${~words[1]} completion words zsh \
        "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
    compadd -Q -- ${${(M)found:#* }% }
    compadd -Q -S '' -- ${found:#* }
}
if (( ! $+functions[compdef] )); then
    autoload -Uz compinit && compinit
fi
compdef _engine engine
"""
FISH = r"""function __engine_words
    set -l command (commandline -opc)[1]
    $command completion words fish (commandline -cp | string collect) 2>/dev/null
end
complete -c engine -f -a '(__engine_words)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
# What more may follow.
OPEN = ("=", ".", "/")
WORDS = "words"
# What ends no word where it stands in one: it is in quotes there.
QUOTED = " \t\n\"'"


def completion(words: list[str]) -> None:
    """Print the script of a shell; or, asked by it for the words that may stand at the cursor, these.

    **Raises:** `ValueError` for what is no shell that we know.
    """
    if len(words) in (3, 4) and words[0] == WORDS and words[1] in SCRIPTS:
        shell, line, *breaks = words[1:]
        for word in answers(shell, line, "".join(breaks)):
            print(word)
        return
    if len(words) != 1 or words[0] not in SCRIPTS:
        given = " ".join(words)
        raise ValueError(f"completion is for {given!r}{one_of(given, SCRIPTS)}")
    print(SCRIPTS[words[0]], end="")


def answers(shell: str, line: str, breaks: str = "") -> list[str]:
    """What may stand at the end of a line that begins with `engine`, as its shell takes it.

    **Arguments:** `breaks`, the signs at which the shell's own words end, of which it replaces the last.
    """
    from engine.cli.candidates import candidates

    read = typed(line)
    found = candidates(read.before[1:], read.current)
    if shell == "fish":
        return found
    if read.quoted is not None:
        return [word[read.quoted if shell == "bash" else 0 :] for word in found]
    kept = 1 + max((read.current.rfind(sign) for sign in breaks if sign not in QUOTED), default=-1)
    return [f"{_escaped(word[kept:])}{'' if _goes_on(word) else ' '}" for word in found]


def _goes_on(word: str) -> bool:
    return word.endswith(OPEN) or word.count("[") > word.count("]")


def _escaped(word: str) -> str:
    """A word that a shell reads as one."""
    return "".join(f"\\{sign}" if sign in " '\"()&;<>|`$" else sign for sign in word)


COMPLETION = WordCommand(
    "what completes commands, keys and choices in a shell",
    (
        'eval "$(engine completion bash)"  # of Bash, in ~/.bashrc',
        'eval "$(engine completion zsh)"  # of zsh, in ~/.zshrc',
        "engine completion fish | source  # of fish, in ~/.config/fish/config.fish",
    ),
    "engine completion bash|zsh|fish",
    completion,
)
