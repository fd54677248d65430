"""Files that a member hands over by themselves, and what is done with them later."""
