"""How well a model tells classes apart: the commands `probe` and `zeroshot`."""
