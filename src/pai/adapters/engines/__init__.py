"""Engines: clients of the workers that run models, and the registry that loads them."""
