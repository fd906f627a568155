"""What all models are made of: attention, heads, projections, positions, dropout, and how weights begin."""
