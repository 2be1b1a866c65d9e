"""What a fault could have left changed in a stack."""

import hashlib

from drills.stacks.storage import BACKUP_BUCKET, BUCKET


def inventory(stack):
    """Everything that a fault could have left changed."""
    store = stack.store()
    found = {
        bucket: sorted(
            (item.object_name, item.size, item.etag) for item in store.list_objects(bucket, recursive=True)
        )
        for bucket in (BUCKET, BACKUP_BUCKET)
    }
    with stack.database() as connection, connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT * FROM voice_usage_logs ORDER BY id) TO STDOUT") as copy:
            found["rows"] = hashlib.sha256(b"".join(bytes(block) for block in copy)).hexdigest()
        found["schema"] = cursor.execute(
            "SELECT (SELECT array_agg(attname::text || ' ' || atttypid::regtype ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = 'voice_usage_logs'::regclass AND attnum > 0 AND NOT attisdropped), "
            "(SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'), "
            "(SELECT version_num FROM alembic_version), (SELECT array_agg(nspname ORDER BY 1) FROM pg_namespace)"
        ).fetchone()
        found["sequence"] = cursor.execute("SELECT last_value FROM voice_usage_logs_id_seq").fetchone()
    for path in (stack.layout.environment, stack.layout.environment_previous):
        found[path.name] = (path.read_bytes(), path.stat().st_mode)
    state = stack.layout.state
    records = [*state.glob("records/*"), *state.glob("expected")]
    found["records"] = sorted((path.name, path.read_bytes()) for path in records)
    found["front"] = stack.front.state()
    found["network"] = stack.network.state()
    found["orders"] = [standing.orders for standing in stack.providers.state().providers.values()]
    found["parts"] = [(part.program.name, part.program.state) for part in stack.parts()]
    found["saved"] = sorted(path.name for path in stack.layout.saved.glob("*"))
    return found
