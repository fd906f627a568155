"""Where text and image meet: the cross-modal layers, and what training leaves out or mixes before them."""
