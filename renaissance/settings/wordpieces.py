"""Whether a tokenizer has word pieces, told from its name or its folder, without loading it.

Whole-word masking needs to know which tokens make up a word. A WordPiece vocabulary says so ("play", "##ing"), and
where every token is a word there is nothing to say; byte-level BPE and SentencePiece vocabularies mark words in other
ways, which masking does not read, and single characters mark none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

# Families of published models whose tokenizers are byte-level BPE or SentencePiece.
OTHER_TOKENIZERS = re.compile(
    r"roberta|gpt|opt-\d|albert|deberta|longformer|(^|[-_])m?bart|xlnet|xlm|camembert|(^|[-_])m?t5|big-?bird|clip|llama",
    re.IGNORECASE,
)

MARKING_WORDS = ("word", "wordpiece")  # the values of tokenizer_type whose tokens say where words begin


def lacks_word_pieces(tokenizer: str) -> bool:
    """Whether a tokenizer is known to have no word pieces.

    Args:
        tokenizer: a Hugging Face name, or a folder with a tokenizer's files.

    Returns:
        True if it has none, False if it has them or nothing is known.
    """
    folder = Path(tokenizer)
    if not folder.is_dir():
        return bool(OTHER_TOKENIZERS.search(tokenizer.rsplit("/", 1)[-1]))
    description = folder / "tokenizer.json"
    if description.is_file():
        try:
            kind = json.loads(description.read_text(encoding="utf-8"))["model"].get("type")
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return False  # a damaged file is reported where the tokenizer is loaded
        return kind is not None and kind != "WordPiece"
    return not (folder / "vocab.txt").is_file() and any(
        (folder / name).is_file() for name in ("merges.txt", "spiece.model", "sentencepiece.bpe.model")
    )
