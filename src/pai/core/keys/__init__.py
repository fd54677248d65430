"""Keys of content: who can open what, without this process ever holding a root key."""
