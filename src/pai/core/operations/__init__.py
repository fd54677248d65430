"""Running the installation: audit access and status."""
