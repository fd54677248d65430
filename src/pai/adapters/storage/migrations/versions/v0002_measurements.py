"""What was measured of models.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "model_measurements",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("processor", sa.String(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("prompt_rate", sa.Float(), nullable=False),
        sa.Column("answer_rate", sa.Float(), nullable=False),
        sa.Column("load_seconds", sa.Float(), nullable=False),
        sa.Column("right", sa.Integer(), nullable=True),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["models.name"], name=op.f("fk_model_measurements_name_models")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model_measurements")),
    )
