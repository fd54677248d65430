"""Conversations of members with models, kept in each member's own sealed file."""
