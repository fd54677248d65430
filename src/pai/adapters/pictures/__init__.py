"""Pictures as they come, in a worker: decoded within limits, made anew."""
