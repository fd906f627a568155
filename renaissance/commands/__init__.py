"""The commands beside training: one file each, which says what a command needs and what does its work."""
