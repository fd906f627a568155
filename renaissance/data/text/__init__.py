"""From texts to token numbers: tokenizers, vocabularies, and what is kept of long texts."""
