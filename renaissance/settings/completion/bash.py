"""The completion script for bash.

bash hands a function the words of the line (`COMP_WORDS`), broken at the `=` of a setting too, and the line itself.
<https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html>
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from renaissance.settings.completion.words import Word, Words, fill

TEMPLATE = r"""# Completion of Renaissance's command line in bash; `python run.py completion bash` writes it anew.

_renaissance_commands=@commands@
_renaissance_flags=@flags@
_renaissance_flags_with_value=@flags_with_value@
_renaissance_configurations=@configurations@
_renaissance_settings=@settings@
_renaissance_setting_names=@setting_names@

# Answers in COMPREPLY what can follow `name=`; $1 is the setting, $2 the beginning of its value.
_renaissance_values() {
    local choices="" paths=""
    case $1 in
@choices@
    esac
    case $1 in
        @files@) paths=-f ;;
        @folders@) paths=-d ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$2"; [[ -n $paths ]] && compgen "$paths" -- "$2")
    compopt +o default +o bashdefault 2>/dev/null  # no file names where none are meant
    [[ -n $paths ]] && compopt -o filenames 2>/dev/null
    if [[ $COMP_WORDBREAKS != *=* ]]; then COMPREPLY=("${COMPREPLY[@]/#/$1=}"); fi
}

_renaissance() {
    local line=${COMP_LINE:0:COMP_POINT} state=command before="" word program="" at=1
    local current=${line##*[[:space:]]}
    while ((at < COMP_CWORD)) && [[ ${COMP_WORDS[at]} == -* ]]; do ((at++)); done
    program=${COMP_WORDS[at]/#\~/$HOME}
    if ((at >= COMP_CWORD)) || [[ ${program##*/} != run.py || ! -d ${program%run.py}renaissance/settings ]]; then
        # Another program of Python's: what completed it before does.
        [[ -n $_renaissance_others ]] && "$_renaissance_others" "$@"
        return
    fi
    for word in "${COMP_WORDS[@]:at+1:COMP_CWORD-at-1}"; do
        case $state,$word in
            *,with) state=updates ;;
            command,help | command,completion) state=$word ;;
            updates,* | *,-*) ;;
            command,*) [[ " $_renaissance_flags_with_value " == *" $before "* ]] || state=with ;;
        esac
        before=$word
    done
    local words=""
    case $state in
        command) words="with $_renaissance_commands" ;;
        with) words=with ;;
        help) words="$_renaissance_commands $_renaissance_configurations $_renaissance_setting_names" ;;
        completion) words=@shells@ ;;
        updates) words="$_renaissance_configurations $_renaissance_settings" ;;
    esac
    COMPREPLY=()
    if [[ $state == updates && $current == *=* ]]; then
        _renaissance_values "${current%%=*}" "${current#*=}"
    elif [[ " $_renaissance_flags_with_value " == *" $before "* ]]; then
        return  # a path or a name: file names are bash's default
    else
        [[ $current == -* ]] && words=$_renaissance_flags
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    fi
    return 0
}

# What completes other programs of Python's: bash-completion loads it when it is asked for.
if declare -F _comp_load >/dev/null; then _comp_load python; elif declare -F __load_completion >/dev/null; then
    __load_completion python
fi
_renaissance_before=$(complete -p python 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
if [[ $_renaissance_before != _renaissance ]]; then _renaissance_others=$_renaissance_before; fi
complete -o bashdefault -o default -F _renaissance @pythons@
"""
PYTHONS = "python python3 python3.11 python3.12 python3.13"


def script(words: Words) -> str:
    """The script, with all words in it."""
    cases = [
        f"        {name}) choices={shlex.quote(' '.join(values))} ;;" for name, values in sorted(words.choices.items())
    ]
    filled = {
        "commands": _quoted(words.commands),
        "flags": _quoted(words.flags),
        "flags_with_value": shlex.quote(" ".join(words.flags_with_value)),
        "configurations": _quoted(words.configurations),
        "settings": _quoted(words.settings),
        "setting_names": _quoted(words.setting_names),
        "choices": "\n".join(cases),
        "files": " | ".join(words.files),
        "folders": " | ".join(words.folders),
        "shells": shlex.quote(" ".join(words.shells)),
        "pythons": PYTHONS,
    }
    return fill(TEMPLATE, filled)


def _quoted(words: Iterable[Word]) -> str:
    return shlex.quote(" ".join(word.text for word in words))
