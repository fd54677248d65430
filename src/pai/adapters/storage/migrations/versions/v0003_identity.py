"""Second factors, passkeys, known browsers; how a session began; what a link is for; where a key may be used from.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _columns()
    op.create_table(
        "totp_factors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totp_factors_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totp_factors")),
    )
    op.create_index(op.f("ix_totp_factors_user_id"), "totp_factors", ["user_id"], unique=False)
    op.create_table(
        "backup_codes",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("used_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_backup_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_backup_codes")),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        sa.Column("synced", sa.Boolean(), nullable=False),
        sa.Column("opens_content", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("used_at", sa.String(), nullable=True),
        sa.Column("suspended_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_user_id"), "passkeys", ["user_id"], unique=False)
    op.create_table(
        "devices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("seen_at", sa.String(), nullable=False),
        sa.Column("acknowledged_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_devices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_user_id"), "devices", ["user_id"], unique=False)


def _columns() -> None:
    # Every row there is gets what was true of it: sessions began by password, keys are bound to no network.
    added = {
        "sessions": (
            sa.Column("methods", sa.Text(), nullable=False, server_default='["password"]'),
            sa.Column("new_device", sa.Boolean(), nullable=False, server_default=sa.false()),
        ),
        "setup_tokens": (
            sa.Column("user_id", sa.String(), nullable=False, server_default=""),
            sa.Column("role", sa.String(), nullable=False, server_default=""),
            sa.Column("first", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("clear_factors", sa.Boolean(), nullable=False, server_default=sa.false()),
        ),
        "api_keys": (sa.Column("networks", sa.Text(), nullable=False, server_default="[]"),),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    # A link is bound to its account from now on; without one it could only be for the first administrator.
    op.execute(
        sa.text(
            "UPDATE setup_tokens SET user_id = "
            "COALESCE((SELECT id FROM users WHERE users.email = setup_tokens.email), '')"
        )
    )
    op.execute(sa.text("UPDATE setup_tokens SET role = 'administrator', first = 1 WHERE user_id = ''"))
