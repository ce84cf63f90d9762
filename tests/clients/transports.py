"""The program under test over standard input and output, or over HTTP, as a transport of the Python client."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading

import httpx2
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("PORTCULLIS_BIN", str(ROOT / "target/release/portcullis"))
TOKEN_VARIABLE = "CLIENT_TOKEN"
TOKEN = "a-token-of-the-python-client-0123456789"
# Belongs into the configuration of a server over HTTP.
CLIENTS = f'\n[mcp.http.clients.python]\nenv = "{TOKEN_VARIABLE}"\n'


@contextlib.contextmanager
def serving(kind, configuration, environment):
    """Gives a function that makes a transport; what it starts ends with the block."""
    if kind == "stdio":
        arguments = ["stdio", "--config", str(configuration)]
        yield lambda: StdioServerParameters(command=PROGRAM, args=arguments, env=environment)
        return
    server = subprocess.Popen(
        [PROGRAM, "serve", "--http", "127.0.0.1:0", "--config", str(configuration)],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={**environment, TOKEN_VARIABLE: TOKEN},
        text=True,
    )
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.match(r"MCP: (http://\S+)", line):
                break
        else:
            raise RuntimeError(f"the server did not start: {said}")
        threading.Thread(target=lambda: [None for _ in server.stderr], daemon=True).start()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        yield lambda: streamable_http_client(
            found.group(1), http_client=httpx2.AsyncClient(headers=headers, timeout=90)
        )
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(5) == 0, "the server did not end as asked"
