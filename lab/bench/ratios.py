#!/usr/bin/env python3
"""Reads the JSON lines of one benchmark run and prints what is promised beside what was measured."""
import json, sys

runs = [json.loads(line) for line in sys.stdin if line.startswith("{")]
for run in runs:
    print(json.dumps(run))
by_name = {run["name"]: run for run in runs if "error" not in run}
floor, ours = by_name.get("raw OpenSSH PTY"), by_name.get("portcullis")
two, rival = by_name.get("Portcullis, two sessions"), by_name.get("ssh-mcp")


def line(what, measured, limit, unit=""):
    verdict = "holds" if measured <= limit else "FAILS"
    print(f"{verdict:6} {what}: {measured:.2f}{unit} (at most {limit:.2f}{unit})")


if floor and ours:
    line("small command, p50 above the floor", ours["run_p50_ms"] - floor["run_p50_ms"], 1.0, " ms")
    line("small command, p95", ours["run_p95_ms"], 4.0, " ms")
    line("large output, times the floor", ours["big_s"] / floor["big_s"], 1.25)
    line("reply to it", ours["big_chars"], 9000, " characters")
if two and floor:
    line("large output beside a second session, times the floor", two["big_s"] / floor["big_s"], 1.25)
    line("second session meanwhile, p95", two["meanwhile_p95_ms"], 10.0, " ms")
if rival and ours:
    line("small command, p50, of the rival's", ours["run_p50_ms"] / rival["run_p50_ms"], 0.5)
