"""What Alembic runs to run the steps: on the connection that it is handed, in its transaction."""

import logging

from alembic import context

# What was brought up is logged once, by the store.
logging.getLogger("alembic").setLevel(logging.WARNING)
context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
