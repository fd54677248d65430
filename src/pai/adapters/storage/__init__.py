"""Storage in SQLCipher files: one main database without content, one sealed file per collection and per member."""
