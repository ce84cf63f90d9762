#!/usr/bin/env python3
"""The floor under sessions.py: the same large output and the same small commands beside it, in two OpenSSH
clients on PTYs, without Portcullis. What is left of a processor beside sshd and the shell that prints shows here.

usage: raw_sessions.py HOST PORT USER KEY MEGABYTES
Prints one JSON line: seconds of the large output, and p50/p95 of the other client's commands meanwhile.
"""
import json, math, os, pty, select, statistics, sys, threading, time

host, port, user, key, megabytes = sys.argv[1:6]
DONE = b"\x1b]133;D;0\x07"


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("ssh", ["ssh", "-tt", "-p", port, "-i", key, "-o", "StrictHostKeyChecking=no", "-o",
                              "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"{user}@{host}"])
        time.sleep(1)
        self.run(r""" stty -echo; PS1='' PROMPT_COMMAND='printf "\033]133;D;$?\007"'""")
        time.sleep(0.2)

    def run(self, line, seconds=240):
        os.write(self.fd, line.encode() + b"\r")
        seen, end = b"", time.perf_counter() + seconds
        while DONE not in seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.perf_counter()))
            if not ready:
                raise SystemExit(f"no end of {line!r}: {seen[-300:]!r}")
            seen = seen[-64:] + os.read(self.fd, 65536)


large, other = Terminal(), Terminal()
done = {}


def print_much():
    begin = time.perf_counter()
    large.run(f"yes 0123456789abcdef | head -c {megabytes}000000")
    done["seconds"] = time.perf_counter() - begin


thread = threading.Thread(target=print_much)
latencies = []
thread.start()
while thread.is_alive():
    begin = time.perf_counter()
    other.run("echo meanwhile-$((6*7))")
    latencies.append((time.perf_counter() - begin) * 1e3)
    time.sleep(0.1)
thread.join()
latencies.sort()
print(json.dumps({
    "name": "two raw OpenSSH PTYs", "big_s": round(done["seconds"], 2), "meanwhile_runs": len(latencies),
    "meanwhile_p50_ms": round(statistics.median(latencies), 2),
    "meanwhile_p95_ms": round(latencies[math.ceil(len(latencies) * 0.95) - 1], 2),
}))
