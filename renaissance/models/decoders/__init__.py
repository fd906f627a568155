"""Text decoders: our own, those of Hugging Face, and how they write."""
