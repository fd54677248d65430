"""Commands by where they run: host commands and content commands."""
