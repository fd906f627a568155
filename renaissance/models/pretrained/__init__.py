"""Models of Hugging Face: where their configurations and weights come from, and how the settings change them."""
