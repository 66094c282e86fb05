"""`tracker serve`, `tracker edge`, `tracker office`: everything, or one role alone."""

import asyncio
import contextlib
import logging

from rewriter.keyring import Keyring
from tracker import folder, logs, roles
from tracker.commands.options import Config, configured
from tracker.listen import bind, bound
from tracker.settings import Settings
from tracker.supervise import supervise

logger = logging.getLogger(__name__)


def serve(config: Config = None) -> int:
    """Run everything on this machine: edge workers and one back office."""
    return run(configured(config), edge=True, office=True)


def edge(config: Config = None) -> int:
    """Run the edge workers alone; their hits wait in the spool for a back office."""
    return run(configured(config), edge=True)


def office(config: Config = None) -> int:
    """Run the back office alone: forwarder and API."""
    return run(configured(config), office=True)


def run(settings: Settings, *, edge: bool = False, office: bool = False) -> int:
    """Run the roles until a signal ends them; return the exit status.

    Raises Mistake or KeyringError, before anything is started, where they can't run.
    """
    logs.configure(logs.form(settings.log.format))
    folder.prepare(settings.data)
    Keyring.load(settings.keyring_path)
    with contextlib.ExitStack() as held:
        edges = [held.enter_context(bind(at, "edge.listen")) for at in settings.edge.listen if edge]
        stages = [roles.edge(settings, edges)] if edge else []
        listeners = edges
        if office:
            held.enter_context(folder.locked(settings.data))
            api = held.enter_context(bind(settings.api.listen, "api.listen"))
            stages.append([roles.office(settings, api)])
            listeners = [*edges, api]
        logger.info("listening", extra={"on": [str(bound(listener)) for listener in listeners]})
        return asyncio.run(supervise(stages, listeners))
