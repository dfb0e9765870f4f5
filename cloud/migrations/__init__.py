"""How did the schema come to be? Alembic's steps, run by `cloud.store.migrate`."""
