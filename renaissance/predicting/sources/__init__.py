"""Where the examples of `predict` come from: a module a kind of file, each of which reads row by row."""
