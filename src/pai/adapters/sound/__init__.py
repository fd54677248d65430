"""Sound as it comes, in a worker: decoded within limits, a stretch at a time."""
