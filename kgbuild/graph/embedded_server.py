"""The embedded store's server process: ArcadeDB with its Bolt port, ruled by JSON lines on stdin.

It is started by path (`python -P embedded_server.py REPLY_FD`) and imports nothing of kgbuild. The first line holds the settings,
each further one a request {"do": "sql" | "create" | "drop", "database": ..., "command": ...}; each is answered by one JSON line on
the reply descriptor. It ends when stdin does: a parent that was killed leaves no server behind.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

Request = dict[str, Any]


def main() -> None:
    """Serve until stdin ends."""
    replies = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    settings = json.loads(sys.stdin.readline())
    server = _start(settings, replies)
    try:
        for line in sys.stdin:
            _reply(replies, _answer(server, json.loads(line)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # the parent is gone, or wants us gone
    finally:
        server.stop()
        os._exit(0)  # Java's own threads would keep the process


def _start(settings: Request, replies: TextIO) -> Any:
    try:
        from arcadedb_embedded.server import ArcadeDBServer

        server = ArcadeDBServer(
            settings["root"],
            settings["password"],
            {
                "server_plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
                "host": "127.0.0.1",
                "bolt_port": settings["bolt_port"],
                "http_port": settings["http_port"],
                "mode": "development",  # production mode hides what is wrong with a statement
                "txWalFlush": 1,
            },
            {"heap_size": settings["heap"], "jvm_args": settings["jvm_args"]},
        )
        server.start()
    except Exception as error:  # noqa: BLE001 (whatever it is, the parent reports it)
        _reply(replies, {"ok": False, "error": f"{type(error).__name__}: {error}"})
        os._exit(1)
    _reply(replies, {"ok": True})
    return server


def _answer(server: Any, request: Request) -> Request:
    try:
        if request["do"] == "create":
            server.create_database(request["database"])
            return {"ok": True}
        if request["do"] == "drop":
            java = server._java_server
            java.getDatabase(request["database"]).getEmbedded().drop()
            java.removeDatabase(request["database"])
            return {"ok": True}
        result = server.get_database(request["database"]).command("sql", request["command"])
        return {"ok": True, "rows": [json.loads(row.to_json()) for row in result or []]}
    except Exception as error:  # noqa: BLE001 (Java's exceptions come in every class; the parent raises StoreError)
        return {"ok": False, "error": str(error)}


def _reply(replies: TextIO, answer: Request) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
