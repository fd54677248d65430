"""One page or action per file, named noun_action."""
