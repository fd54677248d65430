"""Words that every part of PAI shares: errors, identifiers, labels, actors, references."""
