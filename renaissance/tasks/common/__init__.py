"""What the tasks share: the interface, a step's cached features, classification."""
