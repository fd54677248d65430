"""Cryptography: the only room that names a cryptographic library (``cryptography``, ``argon2``)."""
