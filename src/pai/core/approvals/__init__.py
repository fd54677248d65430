"""Acts that take a second person: asked for, approved or refused, carried out once."""
