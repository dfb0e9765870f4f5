"""How does the server run? uvicorn on a socket that is bound first, TLS where a certificate is given."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable

import structlog
import uvicorn

from cloud.app import build
from cloud.home import Home, Listen
from cloud.keys import KeyFiles
from cloud.mqtt import Switchboard
from cloud.patience import CONNECTIONS_MAX, PatientProtocol
from cloud.service import Headquarters

BACKLOG = 1024  # sites that all come back at once after an outage
KEEP_ALIVE_S = 75  # longer than a site's own idle limit, so that the site is the one that closes
GC_YOUNG = 50_000
"""New containers before the youngest are looked through; the default is 700."""


def serve(home: Home, listen: Listen, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. say: told the address, once it can be reached."""
    configure_log()
    listener = socket.create_server((listen.host, listen.port), backlog=BACKLOG)
    scheme = "http" if listen.certificate is None else "https"
    host, port = listener.getsockname()[:2]
    switchboard = Switchboard(home.config.mqtt) if home.config.mqtt else None
    headquarters = Headquarters(home.engine, KeyFiles(home.path / "keys"), home.clock)
    config = uvicorn.Config(
        build(headquarters, switchboard, home.config.policy),
        http=PatientProtocol,
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        log_config=None,
        log_level="warning",
        access_log=False,  # the application logs each request with its outcome
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    say(f"listening on {scheme}://{host}:{port}")
    gc.freeze()  # a batch makes many values that die with it: looking for cycles among them costs a third
    gc.set_threshold(GC_YOUNG, 20, 20)
    uvicorn.Server(config).run(sockets=[listener])


def configure_log() -> None:
    """One JSON object per line on standard error. Credentials, keys and card numbers are never among the fields."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
