#!/usr/bin/env python3
"""A large output in one session while a second session of the same host answers small commands.

usage: sessions.py PROGRAM CONFIG MEGABYTES
Prints one JSON line: seconds of the large output, and p50/p95 of the other session's commands
meanwhile. The profiles `bench` and `other` of CONFIG lead to the same host.
"""
import json, queue, re, subprocess, sys, threading, time

program, config, megabytes = sys.argv[1:4]


class Client:
    """Just enough of an MCP client: requests by number, answers in any order."""

    def __init__(self):
        self.process = subprocess.Popen([program, "stdio", "--config", config], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.number, self.waiting, self.lock = 0, {}, threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                "clientInfo": {"name": "bench", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            answer = self.waiting.pop(message.get("id"), None)
            if answer:
                answer.put(message)

    def send(self, message):
        with self.lock:
            self.process.stdin.write((json.dumps(message) + "\n").encode())
            self.process.stdin.flush()

    def ask(self, method, params):
        with self.lock:
            self.number += 1
            number = self.number
            answer = self.waiting[number] = queue.Queue()
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        message = answer.get(timeout=300)
        if "error" in message:
            raise SystemExit(f"{method}: {message['error']}")
        return message["result"]

    def tool(self, name, **arguments):
        result = self.ask("tools/call", {"name": name, "arguments": arguments})
        text = "\n".join(part.get("text", "") for part in result["content"])
        if result.get("isError"):
            raise SystemExit(f"{name}: {text[:500]}")
        return text

    def open(self, profile):
        return re.search(r"session (s-[A-Za-z0-9_-]+)", self.tool("ssh_open", profile=profile)).group(1)


client = Client()
large, other = client.open("bench"), client.open("other")
done = {}


def print_much():
    begin = time.perf_counter()
    command = f"yes 0123456789abcdef | head -c {megabytes}000000; echo; echo end-$((40+2))"
    text = client.tool("ssh_run", session_id=large, command=command, wait_s=240)
    done.update(seconds=time.perf_counter() - begin, characters=len(text), whole="end-42" in text)


thread = threading.Thread(target=print_much)
latencies = []
thread.start()
while thread.is_alive():
    begin = time.perf_counter()
    client.tool("ssh_run", session_id=other, command="echo meanwhile-$((6*7))", wait_s=30)
    latencies.append((time.perf_counter() - begin) * 1e3)
    # Ten a second, as an eager agent might: the question is how long each takes.
    time.sleep(0.1)
thread.join()
latencies.sort()
print(json.dumps({
    "name": "Portcullis, two sessions", "big_s": round(done["seconds"], 2), "big_tail_ok": done["whole"],
    "big_chars": done["characters"], "meanwhile_runs": len(latencies),
    "meanwhile_p50_ms": round(latencies[len(latencies) // 2], 2),
    "meanwhile_p95_ms": round(latencies[min(len(latencies) - 1, int(len(latencies) * .95))], 2),
}))
client.process.stdin.close()
client.process.wait(10)
