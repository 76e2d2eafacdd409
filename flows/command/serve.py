"""Prefect's server in the process that is started for it: `python -m flows.command.serve PORT`.

The same application, under the same web server, as `prefect server start` runs. That command loads Prefect's whole
command line first, and Python looks for garbage dozens of times while it builds what stays for good: together a
quarter of the CPU of a start.
"""

from __future__ import annotations

import gc
import sys


def main(port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT; settings come from the environment."""
    gc.disable()
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    app = create_app(final=True)
    gc.freeze()
    gc.enable()
    api = get_current_settings().server.api
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        timeout_keep_alive=api.keepalive_timeout,
        ws_ping_interval=api.websocket_ping_interval,
        ws_ping_timeout=api.websocket_ping_timeout,
        log_level=get_current_settings().server.logging_level.lower(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
