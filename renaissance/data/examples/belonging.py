"""Whether a text belongs to an image, though chance brought the two together: no false pair, then."""

from __future__ import annotations

import unicodedata

from renaissance.data.examples.interface import Examples


def belongs(examples: Examples, text: int, image: int) -> bool:
    """Whether the text of one example belongs to the image of another.

    It does where both are of one row; where the other row holds the same file of an image, as joined tables may; and
    where a caption of that image has the same words, whatever their case and the punctuation.

    Args:
        examples: images with texts.
        text: the example whose text it is.
        image: the example whose image it is.
    """
    row = examples.row_of(image)
    if examples.row_of(text) == row or examples.same(text, image, "image"):
        return True
    words = words_of(examples.value(text, "text").casefold())
    longest = max(words, key=len)  # most texts lack it, and need not be taken apart
    others = (examples.value(own, "text").casefold() for own in examples.of_row(row))
    return any(longest in other and words_of(other) == words for other in others)


def words_of(text: str) -> list[str]:
    """The words of a text, without spaces and punctuation; the text itself where it has none.

    Marks that combine with a letter, as vowels do in many scripts, belong to its word, and so do signs such as emoji.
    """
    return text.translate(_GAPS).split() or [text]


class _Gaps(dict[int, int]):
    """A space for each character that stands between words: punctuation, separators and control characters."""

    def __missing__(self, code: int) -> int:
        category = unicodedata.category(chr(code))
        self[code] = ord(" ") if category[0] in "PZ" or category == "Cc" else code
        return self[code]


_GAPS = _Gaps()
