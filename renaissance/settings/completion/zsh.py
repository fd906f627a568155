"""The completion script for zsh, which shows what each word means.

zsh hands a function the words of the line (`words`, `CURRENT`), a setting with its value as one word.
<https://zsh.sourceforge.io/Doc/Release/Completion-System.html>
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from renaissance.settings.completion.words import Word, Words, fill

TEMPLATE = r"""# Completion of Renaissance's command line in zsh; `python run.py completion zsh` writes it anew.

_renaissance_commands=(
@commands@
)
_renaissance_flags=(
@flags@
)
_renaissance_flags_with_value=(@flags_with_value@)
_renaissance_configurations=(
@configurations@
)
_renaissance_settings=(
@settings@
)
_renaissance_setting_names=(
@setting_names@
)

# Adds what can follow `name=`.
_renaissance_values() {
    local name=${PREFIX%%\=*} added=1
    local -a choices
    case $name in
@choices@
    esac
    compset -P 1 '*='
    (( $#choices )) && compadd -- $choices && added=0
    case $name in
        @files@) _files && added=0 ;;
        @folders@) _files -/ && added=0 ;;
    esac
    return added
}

_renaissance() {
    local at=2 state=command before= word program
    while (( at < CURRENT )) && [[ $words[at] == -* ]]; do (( at++ )); done
    program=${words[at]/#\~/$HOME}
    if (( at >= CURRENT )) || [[ ${program:t} != run.py || ! -d ${program%run.py}renaissance/settings ]]; then
        $_renaissance_others "$@"  # another program of Python's: what completed it before does
        return
    fi
    for word in "${(@)words[at+1,CURRENT-1]}"; do
        case "$state,$word" in
            (*,with) state=updates ;;
            (command,help|command,completion) state=$word ;;
            (updates,*|*,-*) ;;
            (command,*) (( $_renaissance_flags_with_value[(Ie)$before] )) || state=with ;;
        esac
        before=$word
    done
    if (( $_renaissance_flags_with_value[(Ie)$before] )); then
        _files
    elif [[ $PREFIX == -* ]]; then
        _describe -t flags flag _renaissance_flags
    elif [[ $state == updates && $PREFIX == *=* ]]; then
        _renaissance_values
    else
        local -a only=(with:'named configurations and settings follow')
        case $state in
            (command) _describe -t commands command _renaissance_commands -- only ;;
            (with) _describe -t commands command only ;;
            (help)
                _describe -t commands command _renaissance_commands
                _describe -t configurations 'named configuration' _renaissance_configurations
                _describe -t settings setting _renaissance_setting_names
                ;;
            (completion) compadd @shells@ ;;
            (updates)
                _describe -t configurations 'named configuration' _renaissance_configurations
                _describe -t settings setting _renaissance_settings -S ''
                _files -g '*.(json|yaml|yml)'
                ;;
        esac
    fi
}

if [[ ${_comps[python]-} != _renaissance ]]; then _renaissance_others=${_comps[python]:-_default}; fi
compdef _renaissance @pythons@
"""
PYTHONS = "python python3 python3.11 python3.12 python3.13"


def script(words: Words) -> str:
    """The script, with all words in it."""
    cases = [
        f"        ({name}) choices=({' '.join(map(shlex.quote, values))}) ;;"
        for name, values in sorted(words.choices.items())
    ]
    filled = {
        "commands": _described(words.commands),
        "flags": _described(words.flags),
        "flags_with_value": " ".join(words.flags_with_value),
        "configurations": _described(words.configurations),
        "settings": _described(words.settings),
        "setting_names": _described(words.setting_names),
        "choices": "\n".join(cases),
        "files": "|".join(words.files),
        "folders": "|".join(words.folders),
        "shells": " ".join(words.shells),
        "pythons": PYTHONS,
    }
    return fill(TEMPLATE, filled)


def _described(words: Iterable[Word]) -> str:
    """Items of `_describe`: word:meaning, a line each, colons of the word with a backslash."""
    return "\n".join("    " + shlex.quote(f"{word.text.replace(':', chr(92) + ':')}:{word.meaning}") for word in words)
