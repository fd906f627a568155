"""The command `search`: the best matches of a text or an image in a prepared table."""
