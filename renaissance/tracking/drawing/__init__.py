"""How curves are drawn: the form of a figure, what becomes of many points, and what things are called in words."""
