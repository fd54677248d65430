"""Fictional sample documents (made by ``tests/samples/make_samples.py``) and questions about them, for the demo and benchmarks."""
