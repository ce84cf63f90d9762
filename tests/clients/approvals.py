"""A policy asks, and the Python `mcp` client's own dialog answers: once yes, once no, once not at all.

Over both transports and in both eras of the protocol: until 2025-11-25 the server puts the question, since 2026-07-28
the answer to a call is the question and the client calls again. The dialog is the second way to a person's consent (docs/approvals.md); here a function stands for the person.
A failure raises and ends with a status other than 0.
"""

import asyncio
import os
import pathlib
import tempfile

from mcp import Client
from mcp.types import ElicitResult
from transports import CLIENTS, ROOT, serving

LINE = "echo deploy"

CONFIGURATION = """
ssh_config = false
state_directory = "state"

[viewer]
enabled = false

[plugins.team]
path = "{component}"
settings = {{ asks = ["deploy"] }}

[profiles.here]
kind = "local"
shell = ["bash", "--noprofile", "--norc"]
policies = ["team"]
"""
CONFIGURATION += CLIENTS


def component():
    """The lab's plugin that asks by words, as the newest build has left it."""
    found = (ROOT / "target/release/build").glob("portcullis-*/out/misbehaving/misbehaving.wasm")
    return max(found, key=lambda path: path.stat().st_mtime)


async def story(transport, mode):
    answers = [
        ElicitResult(action="accept", content={"decision": "allow_once"}),
        ElicitResult(action="accept", content={"decision": "deny", "reason": "not on a Friday"}),
        ElicitResult(action="cancel"),
    ]
    asked = []

    async def person(_context, parameters):
        asked.append(parameters)
        return answers[len(asked) - 1]

    async with Client(transport(), mode=mode, elicitation_callback=person) as client:

        async def run():
            result = await client.call_tool("ssh_run", {"command": LINE, "wait_s": 40, "purpose": "ship it"})
            print(f"\n> {LINE}\n  " + result.content[0].text.replace("\n", "\n  "))
            return result.structured_content

        await client.call_tool("ssh_open", {"profile": "here"})
        allowed = await run()
        assert allowed["text"] == "deploy\n" and allowed["warnings"][0]["rule_id"] == "lab/deploy", allowed
        assert LINE in asked[0].message and "lab/deploy" in asked[0].message, asked[0]
        denied = await run()
        assert denied["failure_category"] == "policy-ask-denied", denied
        assert denied["denial_reason"] == "not on a Friday" and denied["sent"] is False, denied
        closed = await run()
        assert closed["failure_category"] == "policy-ask-denied", closed
        assert len(asked) == 3, asked
        await client.call_tool("ssh_stop", {})

    # A client without dialogs: nobody can be asked, and nothing hangs.
    async with Client(transport(), mode=mode) as client:
        await client.call_tool("ssh_open", {"profile": "here"})
        result = (await client.call_tool("ssh_run", {"command": LINE})).structured_content
        assert result["failure_category"] == "policy-ask-denied", result
        assert "nobody can be asked" in result["summary"], result
        await client.call_tool("ssh_stop", {})


def main():
    with tempfile.TemporaryDirectory(prefix="portcullis-approvals-") as folder:
        configuration = pathlib.Path(folder) / "portcullis.toml"
        configuration.write_text(CONFIGURATION.format(component=component()))
        for kind in ("stdio", "http"):
            with serving(kind, configuration, dict(os.environ)) as transport:
                for mode in ("legacy", "2026-07-28"):
                    print(f"\n=== {kind}, protocol mode {mode}")
                    asyncio.run(story(transport, mode))
    print("\nthe client's own dialog allowed, denied and was closed")


if __name__ == "__main__":
    main()
