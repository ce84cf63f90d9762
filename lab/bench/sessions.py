#!/usr/bin/env python3
"""A large output in one session while a second session of the same host answers small commands.

usage: sessions.py PROGRAM CONFIG MEGABYTES
Prints one JSON line: seconds of the large output, and p50/p95 of the other session's commands
meanwhile. The profiles `bench` and `other` of CONFIG lead to the same host.

One thread and one pipe each way, so that what is measured is the program's answer and not this client's
own threads, which wait for each other on a busy machine.
"""
import json, math, os, re, select, statistics, subprocess, sys, time

program, config, megabytes = sys.argv[1:4]
PATIENCE_S = 300


class Client:
    """Just enough of an MCP client: requests by number, answers in any order."""

    def __init__(self):
        self.process = subprocess.Popen([program, "stdio", "--config", config], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.number, self.rest, self.answers = 0, b"", {}
        self.result(self.begin("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                              "clientInfo": {"name": "bench", "version": "1"}}))
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        os.write(self.process.stdin.fileno(), (json.dumps(message) + "\n").encode())

    def begin(self, method, params):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number

    def take(self, seconds):
        """Takes what has come, waiting at most so long for it."""
        out = self.process.stdout.fileno()
        if not select.select([out], [], [], seconds)[0]:
            return
        came = os.read(out, 1 << 16)
        if not came:
            raise SystemExit("the program has ended")
        *lines, self.rest = (self.rest + came).split(b"\n")
        for message in map(json.loads, lines):
            if "id" in message:
                self.answers[message["id"]] = (message, time.perf_counter())

    def result(self, number):
        """The result of that request, and when it came."""
        end = time.perf_counter() + PATIENCE_S
        while number not in self.answers:
            if time.perf_counter() > end:
                raise SystemExit(f"request {number} is not answered")
            self.take(1)
        message, when = self.answers.pop(number)
        if "error" in message:
            raise SystemExit(f"request {number}: {message['error']}")
        text = "\n".join(part.get("text", "") for part in message["result"].get("content", []))
        if message["result"].get("isError"):
            raise SystemExit(f"request {number}: {text[:500]}")
        return text, when

    def call(self, name, **arguments):
        return self.begin("tools/call", {"name": name, "arguments": arguments})

    def open(self, profile):
        text, _ = self.result(self.call("ssh_open", profile=profile))
        return re.search(r"session (s-[A-Za-z0-9_-]+)", text).group(1)


client = Client()
large, other = client.open("bench"), client.open("other")
latencies = []
began = time.perf_counter()
command = f"yes 0123456789abcdef | head -c {megabytes}000000; echo; echo end-$((40+2))"
flood = client.call("ssh_run", session_id=large, command=command, wait_s=240)
while flood not in client.answers:
    begin = time.perf_counter()
    _, when = client.result(client.call("ssh_run", session_id=other, command="echo meanwhile-$((6*7))", wait_s=30))
    latencies.append((when - begin) * 1e3)
    # Ten a second, as an eager agent might: the question is how long each takes.
    pause = time.perf_counter() + 0.1
    while flood not in client.answers and (left := pause - time.perf_counter()) > 0:
        client.take(left)
text, when = client.result(flood)
latencies.sort()
print(json.dumps({
    "name": "Portcullis, two sessions", "big_s": round(when - began, 2), "big_tail_ok": "end-42" in text,
    "big_chars": len(text), "meanwhile_runs": len(latencies),
    "meanwhile_p50_ms": round(statistics.median(latencies), 2),
    "meanwhile_p95_ms": round(latencies[math.ceil(len(latencies) * 0.95) - 1], 2),
}))
client.process.stdin.close()
client.process.wait(10)
