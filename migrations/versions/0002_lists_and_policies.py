"""Protected people, known pictures, and versions of policies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "protected_lists",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_protected_lists_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protected_lists")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_protected_lists_tenant_id")),
    )
    op.create_table(
        "protected_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("embedder", sa.String(), nullable=False),
        sa.Column("template", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["protected_lists.id"], name=op.f("fk_protected_entries_list_id_protected_lists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protected_entries")),
    )
    op.create_index(op.f("ix_protected_entries_list_id"), "protected_entries", ["list_id"], unique=False)
    op.create_table(
        "picture_lists",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_picture_lists_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture_lists")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_picture_lists_tenant_id")),
    )
    op.create_table(
        "picture_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["picture_lists.id"], name=op.f("fk_picture_entries_list_id_picture_lists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture_entries")),
    )
    op.create_index(op.f("ix_picture_entries_list_id"), "picture_entries", ["list_id"], unique=False)
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_versions")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_policy_versions_name")),
    )
    op.create_table(
        "policy_shadow_counts",
        sa.Column("policy_id", sa.String(), nullable=False),
        sa.Column("live_version", sa.String(), nullable=False),
        sa.Column("live_outcome", sa.String(), nullable=False),
        sa.Column("shadow_outcome", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policy_versions.id"], name=op.f("fk_policy_shadow_counts_policy_id_policy_versions")
        ),
        sa.PrimaryKeyConstraint(
            "policy_id", "live_version", "live_outcome", "shadow_outcome", name=op.f("pk_policy_shadow_counts")
        ),
    )


def downgrade() -> None:
    """Remove the tables and everything in them."""
    op.drop_table("policy_shadow_counts")
    op.drop_table("policy_versions")
    op.drop_index(op.f("ix_picture_entries_list_id"), table_name="picture_entries")
    op.drop_table("picture_entries")
    op.drop_table("picture_lists")
    op.drop_index(op.f("ix_protected_entries_list_id"), table_name="protected_entries")
    op.drop_table("protected_entries")
    op.drop_table("protected_lists")
