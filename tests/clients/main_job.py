"""The main job, driven by the Python `mcp` client over stdio and HTTP, in both protocol eras.

The embedded bastion is started by `portcullis-lab serve`; the client talks to the program
only, as any agent's client would. A failure raises and ends with a status other than 0.
"""

import asyncio
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from mcp import Client
from transports import CLIENTS, ROOT, serving

LAB = ROOT / "target/release/portcullis-lab"
ROUTE = "orders-api"

CONFIGURATION = """
ssh_config = false
state_directory = "state"

[viewer]
enabled = false

[profiles.lab]
host = "127.0.0.1"
port = {port}
user = "{user}"
auth = [{{ password_env = "CLIENT_PASSWORD" }}]
known_hosts = ["known_hosts"]
navigator = {{ plugin = "navigator-cmsm" }}
log_search = {{ sources = ["var/log"] }}

[profiles.lab.routes.orders-api]
target = "10.66.12.21"
user = "root"
namespace = "orders"
pod = "orders-api-*"
"""
CONFIGURATION += CLIENTS


class Bastion:
    """`portcullis-lab serve` in a scratch home."""

    def __init__(self, home):
        self.password = "client-test"
        self.process = subprocess.Popen(
            [str(LAB), "serve", "--home", str(home)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PORTCULLIS_LAB_PASSWORD": self.password},
            text=True,
        )
        self.facts = {}
        for line in self.process.stdout:
            name, _, value = line.strip().partition(" ")
            self.facts[name] = value.strip()
            if {"address", "user", "known_hosts"} <= self.facts.keys():
                return
        raise RuntimeError(f"the bastion did not start: {self.facts}")

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)


async def call(client, tool, arguments=None):
    result = await client.call_tool(tool, arguments or {})
    text = "\n".join(block.text for block in result.content)
    print(f"\n> {tool} {arguments or {}}\n" + "\n".join(f"  {line}" for line in text.splitlines()[:14]))
    assert result.structured_content is not None, "no structured content"
    assert result.structured_content["summary"] in text, "the text form is not complete by itself"
    return result


async def succeed(client, tool, arguments=None):
    result = await call(client, tool, arguments)
    content = result.structured_content
    assert not result.is_error and content["result_status"] == "success", content
    return content


async def main_job(transport, mode):
    async with Client(transport(), mode=mode) as client:
        print(f"\n=== protocol mode {mode}: {client.protocol_version}")
        tools = (await client.list_tools()).tools
        assert len(tools) >= 11, [tool.name for tool in tools]
        assert all(tool.output_schema and tool.annotations for tool in tools)

        await succeed(client, "ssh_hosts")
        await succeed(client, "ssh_open", {"profile": "lab"})
        place = (await succeed(client, "ssh_navigate", {"route": ROUTE}))["breadcrumb"]
        assert place[:2] == ["bastion", "master-a"] and place[2].startswith("orders/orders-api-"), place

        listed = await succeed(client, "ssh_run", {"command": "ls -la var/log/app"})
        assert "app.log" in [entry["name"] for entry in listed["parsed"]["documents"]], listed

        for query, wanted in (("upstream timeout", "lab-timeout-001"), ("payment failed", "O-10086")):
            found = await succeed(client, "ssh_search_logs", {"query": query, "before_lines": 1, "after_lines": 1})
            hit = next(hit for hit in found["matches"] if wanted in hit["text"])
            assert hit["line"] > 0 and hit["source"].endswith(".log") and hit["before"], hit

        refused = (await call(client, "ssh_run", {"command": "rm -rf /"})).structured_content
        assert refused["result_status"] == "blocked" and refused["sent"] is False, refused
        assert refused["rule_id"] and refused["reason"] and refused["suggestion"], refused

        slept = await succeed(client, "ssh_run", {"command": "sleep 3; echo done"})
        assert slept["exit_code"] == 0 and slept["text"] == "done\n" and slept["duration_ms"] >= 3000, slept

        screen = await succeed(client, "ssh_read")
        assert "sleep 3; echo done" in screen["text"] and "rm -rf /" not in screen["text"], screen
        await succeed(client, "ssh_stop")


def main():
    with tempfile.TemporaryDirectory(prefix="portcullis-client-") as folder:
        folder = pathlib.Path(folder)
        bastion = Bastion(folder / "lab")
        try:
            port = re.search(r":(\d+)$", bastion.facts["address"]).group(1)
            (folder / "known_hosts").write_text(bastion.facts["known_hosts"] + "\n")
            configuration = folder / "portcullis.toml"
            configuration.write_text(CONFIGURATION.format(port=port, user=bastion.facts["user"]))
            environment = {**os.environ, "CLIENT_PASSWORD": bastion.password}
            for kind, mode in (("stdio", "auto"), ("http", "auto"), ("http", "legacy")):
                with serving(kind, configuration, environment) as transport:
                    asyncio.run(main_job(transport, mode))
        finally:
            bastion.close()
    print("\nthe main job succeeded over both transports and in both protocol eras")


if __name__ == "__main__":
    main()
