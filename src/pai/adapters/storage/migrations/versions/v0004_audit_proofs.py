"""Roots of subtrees for proofs, and indexes of the audit log by document, outcome, model and time.

Revision ID: 0004
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TILE = 256


def upgrade() -> None:
    op.create_table(
        "audit_documents",
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "index", name=op.f("pk_audit_documents")),
    )
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_audit_tiles")),
    )
    op.add_column("audit_events", sa.Column("outcome", sa.String(), nullable=True))
    for name in ("at", "model", "outcome"):
        op.create_index(op.f(f"ix_audit_events_{name}"), "audit_events", [name], unique=False)
    _fill_tiles()


def _fill_tiles() -> None:
    """Compute the tiles of the log that is there. Outcomes and documents stand in sealed bodies: storage fills them in once it has
    the keystore."""
    bind = op.get_bind()
    rows = bind.execute(sa.text('SELECT leaf FROM audit_events WHERE "index" >= 0 ORDER BY "index"'))
    level, hashes = 1, [row[0] for row in rows]
    while len(hashes) >= _TILE:
        hashes = [_root(hashes[at : at + _TILE]) for at in range(0, len(hashes) - _TILE + 1, _TILE)]
        for position, value in enumerate(hashes):
            bind.execute(
                sa.text("INSERT INTO audit_tiles (level, position, hash) VALUES (:level, :position, :hash)"),
                {"level": level, "position": position, "hash": value},
            )
        level += 1


def _root(nodes: list[bytes]) -> bytes:
    while len(nodes) > 1:
        nodes = [
            hashlib.sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)
        ]
    return nodes[0]
