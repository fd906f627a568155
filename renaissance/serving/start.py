"""The command `serve`: loads the models and answers for them over HTTP until a signal comes.

Comes in: `load_path` or `serve_models`, and the settings of the section `serve` in `config.py`. Goes out: answers;
`docs/serving.md` tells which.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from importlib.util import find_spec

from renaissance.credentials import secret
from renaissance.errors import UserError
from renaissance.inference.features import device_of
from renaissance.pages.listening import address_of, is_private
from renaissance.settings import Settings
from renaissance.stop_signals import STOP

NEEDED = ("fastapi", "uvicorn", "httptools", "multipart", "orjson", "prometheus_client")


def serve(settings: Settings) -> None:
    """Serve models until a signal stops the process, which finishes what is under way.

    Args:
        settings: checked for the command `serve`.

    Raises:
        UserError: a checkpoint cannot be read, it cannot listen at the address, or a package is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"serve needs {', '.join(missing)}, which is not installed: pip install -e '.[serve]'")
    from renaissance.serving.processes import run_processes
    from renaissance.serving.served import named
    from renaissance.serving.server import listen

    with listen(settings.host, settings.port) as listening:
        address = address_of(*listening.getsockname()[:2])
        names = ", ".join(named(settings.serve_models or [settings.load_path]))
        if settings.serve_processes == 1:
            answer(settings, listening)
        else:
            print(f"{settings.serve_processes} processes serve {names}: {address} (Ctrl-C ends them)", flush=True)
            run_processes(answer, settings, listening)
    if STOP.received is not None:
        STOP.finish()  # what was under way is done: that is how a server ends


def answer(settings: Settings, listening: socket.socket) -> None:
    """Load the models and answer at a socket, in this process, until a signal comes.

    Args:
        settings: checked for the command `serve`.
        listening: the socket.

    Raises:
        UserError: a checkpoint or a table cannot be read, or none of the models can search the tables.
    """
    from renaissance.inference.classes.prompts import read_templates
    from renaissance.serving.app import create_app
    from renaissance.serving.limits import Limits
    from renaissance.serving.searching import Searcher
    from renaissance.serving.served import load_served, named
    from renaissance.serving.server import Server, config_of
    from renaissance.serving.service import Access

    host, port = listening.getsockname()[:2]
    paths = named(settings.serve_models or [settings.load_path])
    models = {name: load_served(name, path, device_of(settings)) for name, path in paths.items()}
    with ExitStack() as stack:
        searchers = {}
        if settings.dataset is not None:
            able = {name: served.model for name, served in models.items() if served.model.has_joint_space}
            if not able:
                raise UserError(
                    f"dataset={settings.dataset!r}: {', '.join(models)} cannot search a table: that takes a joint "
                    "space of texts and images. Serve a model trained with contrastive, such as task_clip_scenes, or "
                    "leave dataset out."
                )
            searchers = {name: Searcher.of_settings(model, settings, stack) for name, model in able.items()}
        own = {settings.host, "localhost", socket.gethostname(), *settings.serve_hosts}
        private, token = is_private(host), secret("serve_token", settings.serve_token)
        access = Access(frozenset(name.lower() for name in own), private, token)
        limits, templates = Limits.of_settings(settings), read_templates(settings.templates)
        app = create_app(models, limits, access, searchers=searchers, templates=templates)
        if settings.serve_processes == 1:
            print(f"serving {', '.join(models)}: {address_of(host, port)} (Ctrl-C ends it)", flush=True)
        if not private and token is None:
            print(f"warning: whoever can reach {settings.host} can ask; serve_token asks for a token", flush=True)
        Server(config_of(app)).run([listening])
