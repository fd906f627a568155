"""Settings that cannot go together, and what each command needs of them."""
