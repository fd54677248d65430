"""A text engine on OpenVINO with paged attention: continuous batching, and prompt caches that belong to one user each."""
