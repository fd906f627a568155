"""The words of a caption as COCO's evaluation counts them: Penn Treebank tokens, lower case, without punctuation.

In: a text. Out: its words. COCO cuts captions by Stanford's PTBTokenizer, which needs Java, and drops `PUNCTUATION`
(Chen et al., 2015, https://arxiv.org/abs/1504.00325, section 3). The rules here are written after what that tokenizer
(CoreNLP 3.4.1, the version of COCO's evaluation) does; `tests/tasks/test_ptb.py` holds them against it. Words with
hyphens, slashes and inner full stops stay whole, clitics (`'s`, `n't`) and `can|not`, `gon|na` are cut off, known
abbreviations keep their full stop. Brackets are the words `-lrb-` and `-rrb-`, and `!!` is a word: COCO's list of
punctuation has neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PUNCTUATION = frozenset(("'", '"', "`", ".", "?", "!", ",", ":", "-", ";", "...", "--", "---", "----"))
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
SPELLED = {"cannot": "can not", "gonna": "gon na", "wanna": "wan na", "gotta": "got ta", "lemme": "lem me",
           "gimme": "gim me", "'tis": "'t is", "'twas": "'t was", "y'all": "y' all",
           "rock'n'roll": "rock 'n' roll"}  # fmt: skip
LEADING = ("'em", "'till", "'til", "'cause", "'n'", "'tis", "'twas", "'s", "'m", "'d", "'re", "'ve", "'ll")
SIGNS = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "‹": "'", "›": "'", "–": "--",
                       "—": "--", "―": "--", "‐": "-", "‑": "-", "…": "...", "£": "#", "€": "$",
                       "¢": " cents"})  # fmt: skip
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&nbsp;": " "}

# Abbreviations that keep their full stop: however they are written; with a capital letter; before a number.
ABBREVIATIONS = """adm adv al ala alex apr ariz assn aug ave bldg blvd bros calif capt cf cie cmdr co col colo conn corp
cos ct dec dept dr drs elec esq est etc ext feb fla fri ft ga gen gov hon inc ind intl invt jan jos jr jul jun kan ky lt
ltd maj mar md messrs mfg mich minn mlle mme mo mon mont mr mrs ms mt natl neb nev nov oct okla penn ph plc pres prof
pty rd rep rev sen sep sept sgt sq sr st ste sys tel tenn thu thurs tue tues univ va vs vt wed wis wm wyo"""
CAPITALISED = "Ark Del Ill La Mass Miss Ore Pa Tex Wash"
NUMBERED = "art ca fig figs no nos op pp"

LETTER = r"[^\W\d_]"
WORD = rf"[^\W_]+(?:(?:[-/_]|(?<={LETTER})\.(?={LETTER}))[^\W_]+)*"


def _any_of(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


TOKEN = re.compile(
    rf"""
    (?:https?://|www\.)[^\s<>"()]*[\w/]                     # addresses
    | [\w.+-]+@\w[\w-]*(?:\.\w+)+
    | [\#@](?=[^\W\d])\w+
    | (?<!\w)(?i:ph\.d|{_any_of(ABBREVIATIONS)})\.(?!\w)
    | (?<!\w)(?:{_any_of(CAPITALISED)})\.(?!\w)
    | (?<!\w)(?i:{_any_of(NUMBERED)})\.(?=\s*\d)
    | (?<![\w'])(?:[A-Za-z]\.)+(?!\w)                       # initials: u.s.
    | (?:(?<!\S)[-+])?(?<!\w)\.?\d+(?:[.,:]\d+)+(?:[-/]{WORD})?  # numbers: 1,000, 6:55, 1.5-inch
    | (?<!\S)[-+]?\.?\d+(?!\w|[-/']\w)                      # -5, .5
    | [A-Z]+(?:&[A-Z]+)+(?!\w)                              # AT&T
    | (?<![\w'])'\d0s(?!\w)                                 # '90s
    | (?<![\w'])(?i:{"|".join(LEADING)})(?![\w'])
    | {WORD}(?:'{WORD})*(?:(?<=\b[Oo]l)')?
    | [!?]+ | \.\.\. | -+ | [*_@\#]+
    | [^\w\s\U00010000-\U0010ffff]                          # any other sign; pictograms are dropped
    """,
    re.VERBOSE,
)
DECADE = re.compile(r"'\d0s")
CLITIC = re.compile(r"(.+?)('(?:s|m|d|re|ve|ll)|n't)")
WHOLE = re.compile(r"[dlos]'\w.*|ma'am|ol'|n't")  # apostrophes that cut nothing


def words_of(text: str) -> list[str]:
    """The words of a text."""
    for entity, sign in ENTITIES.items():
        text = text.replace(entity, sign)
    tokens = TOKEN.findall(text.translate(SIGNS))
    return [word for token in tokens for word in _cut(token.lower()) if word not in PUNCTUATION]


def _cut(token: str) -> Iterator[str]:
    """The words of a token in lower case: clitics and spoken forms are cut, quotes around it dropped."""
    if token in SPELLED or token in BRACKETS:
        yield from SPELLED.get(token, BRACKETS.get(token, "")).split()
    elif "'" not in token or WHOLE.fullmatch(token) or token in LEADING or DECADE.fullmatch(token):
        yield token
    elif clitic := CLITIC.fullmatch(token):
        yield from _cut(clitic[1])
        yield clitic[2]
    else:
        yield from (part for part in token.split("'") if part)
