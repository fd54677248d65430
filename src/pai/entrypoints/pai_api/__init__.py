"""PAI's own API under /pai/v1."""
