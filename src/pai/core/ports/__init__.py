"""Needs that every room shares."""
