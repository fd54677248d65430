"""The catalogue of starter models, and bringing model files into a home."""
