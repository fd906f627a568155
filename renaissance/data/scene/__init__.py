"""The sample set's little world: what can stand in a picture, how it is drawn, and what is said of it."""
