"""The record of every significant act: typed events in a Merkle tree (RFC 9162)."""
