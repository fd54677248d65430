"""Who made a link, which passkey this server may open content for, clearances, shares that end, and acts that take two persons.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _columns()
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
        sa.Column("opens_at", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("closed_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_requests")),
    )
    op.create_index(op.f("ix_approval_requests_requester"), "approval_requests", ["requester"], unique=False)
    op.create_index(op.f("ix_approval_requests_state"), "approval_requests", ["state"], unique=False)
    op.create_table(
        "approval_votes",
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["approval_requests.id"], name=op.f("fk_approval_votes_request_id")),
        sa.PrimaryKeyConstraint("request_id", "person", name=op.f("pk_approval_votes")),
    )
    op.create_table(
        "approval_rules",
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("life_hours", sa.Integer(), nullable=False),
        sa.Column("lock_hours", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("act", name=op.f("pk_approval_rules")),
    )


def _columns() -> None:
    # What is there keeps what was true of it: everybody was cleared for every label, whoever was given a collection could read it for good.
    added = {
        "setup_tokens": (sa.Column("made_by", sa.String(), nullable=False, server_default=""),),
        "api_keys": (sa.Column("made_by", sa.String(), nullable=False, server_default=""),),
        "passkeys": (sa.Column("server_holds", sa.Boolean(), nullable=False, server_default=sa.false()),),
        "users": (sa.Column("clearance", sa.String(), nullable=False, server_default="restricted"),),
        "collection_shares": (
            sa.Column("access", sa.String(), nullable=False, server_default="read"),
            sa.Column("expires_at", sa.String(), nullable=True),
        ),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    # An account that this server holds the key of let it do so with a passkey that opens nothing itself. Where there is one such
    # passkey, it was this one; where there are several nobody can tell, and the password opens the content.
    op.execute(
        sa.text(
            "UPDATE passkeys SET server_holds = 1 WHERE opens_content = 0 AND user_id IN ("
            "SELECT w.user_id FROM member_wraps w JOIN users u ON u.id = w.user_id "
            "WHERE w.factor = 'console' AND u.first_administrator = 0) "
            "AND 1 = (SELECT COUNT(*) FROM passkeys o WHERE o.user_id = passkeys.user_id AND o.opens_content = 0)"
        )
    )
