"""Find a provider's rows quickly."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.execute("CREATE INDEX ix_voice_usage_logs_provider ON voice_usage_logs (provider)")


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX ix_voice_usage_logs_provider")
