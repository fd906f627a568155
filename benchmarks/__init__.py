"""Speed, measured as ratios against primitives of the same run."""
