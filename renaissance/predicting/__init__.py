"""The command `predict`: what a trained model says of a file of examples, however long, into another file."""
