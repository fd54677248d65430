"""Models: what they are, where they come from, and whether they may run."""
