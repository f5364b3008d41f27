"""Run by alembic: migrates the connection it is handed, inside that connection's transaction."""

from alembic import context

from qhw.jobs.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
