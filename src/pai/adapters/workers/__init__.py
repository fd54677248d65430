"""Worker processes: the supervisor that starts them, what runs inside them, and their clients."""
