"""The register of data subjects and its links to everything stored."""
