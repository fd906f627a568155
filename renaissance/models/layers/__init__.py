"""What all models are made of: heads, positions, dropout, and how weights begin."""
