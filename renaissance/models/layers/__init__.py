"""What all models are made of: attention, heads, positions, dropout, and how weights begin."""
