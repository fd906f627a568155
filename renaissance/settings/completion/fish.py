"""The completion script for fish, which shows what each word means.

fish adds what this finds to what it knows of `python` itself, and asks for it only where `run.py` is ours.
<https://fishshell.com/docs/current/completions.html>
"""

from __future__ import annotations

from collections.abc import Iterable

from renaissance.settings.completion.words import Word, Words, fill

TEMPLATE = r"""# Completion of Renaissance's command line in fish; `python run.py completion fish` writes it anew.

# Where on the line we are: command, with, help, completion, updates, value, flag or path; nothing where run.py is not
# ours.
function __renaissance_state
    set -l words (commandline -opc)[2..-1]
    while string match -q -- '-*' "$words[1]"
        set -e words[1]
    end
    set -l program (string replace -r '^~' $HOME -- "$words[1]")
    string match -q -r '(^|/)run\.py$' -- "$program"; or return
    test -d (string replace -r 'run\.py$' renaissance/settings -- "$program"); or return
    set -l state command
    set -l before ''
    for word in $words[2..-1]
        if test "$word" = with
            set state updates
        else if test $state = command; and contains -- "$word" help completion
            set state $word
        else if test $state = command; and not string match -q -- '-*' "$word"
            contains -- "$before" @flags_with_value@; or set state with
        end
        set before $word
    end
    if contains -- "$before" @flags_with_value@
        set state path
    else if string match -q -- '-*' (commandline -ct)
        set state flag
    else if test $state = updates; and string match -q '*=*' -- (commandline -ct)
        set state value
    end
    echo $state
end

# What can follow `name=`.
function __renaissance_values
    set -l name (commandline -ct | string replace -r '=.*' '')
    set -l value (commandline -ct | string replace -r '^[^=]*=' '')
    set -l choices
    switch $name
@choices@
    end
    for choice in $choices
        echo $name=$choice
    end
    switch $name
        case @files@
            __fish_complete_path $value | string replace -r '^' -- $name=
        case @folders@
            __fish_complete_directories $value '' | string replace -r '^' -- $name=
    end
end

function __renaissance_in
    contains -- (__renaissance_state) $argv
end

for python in @pythons@
    complete -c $python -n '__renaissance_in command with help completion updates value flag' -f
    complete -c $python -n '__renaissance_in command with' -a with -d 'named configurations and settings follow'
    complete -c $python -n '__renaissance_in completion' -a '@shells@'
    complete -c $python -n '__renaissance_in value' -k -a '(__renaissance_values)'
    complete -c $python -n '__renaissance_in path' -F
@words@
end
"""
PYTHONS = "python python3 python3.11 python3.12 python3.13"


def script(words: Words) -> str:
    """The script, with all words in it."""
    cases = [
        f"        case {name}\n            set choices {' '.join(map(_quoted, values))}"
        for name, values in sorted(words.choices.items())
    ]
    lines = [
        *_completions("command help", words.commands),
        *_completions("help updates", words.configurations),
        *_completions("help", words.setting_names),
        *_completions("updates", words.settings),
        *_completions("flag", words.flags),
    ]
    filled = {
        "choices": "\n".join(cases),
        "files": " ".join(words.files),
        "folders": " ".join(words.folders),
        "flags_with_value": " ".join(words.flags_with_value),
        "shells": " ".join(words.shells),
        "pythons": PYTHONS,
        "words": "\n".join(lines),
    }
    return fill(TEMPLATE, filled)


def _completions(states: str, words: Iterable[Word]) -> list[str]:
    """A command for each word, which is offered in the given states of the line."""
    return [
        f"    complete -c $python -n '__renaissance_in {states}' -a {_quoted(word.text)} -d {_quoted(word.meaning)}"
        for word in words
    ]


def _quoted(text: str) -> str:
    r"""A word in fish's single quotes, inside which only \ and ' are escaped."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
