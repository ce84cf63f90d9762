#!/usr/bin/env python3
"""Reads the JSON lines of one or more benchmark rounds and prints what is promised beside what was measured.

Of several rounds the middle one is told, and in how many the promise held: a machine that others share moves the
floor itself by half.
"""
import json, statistics, sys

rounds, names = [], {}
for line in sys.stdin:
    if not line.startswith("{"):
        continue
    run = json.loads(line)
    print(json.dumps(run))
    # Each round measures each name once.
    number = names[run["name"]] = names.get(run["name"], -1) + 1
    if number == len(rounds):
        rounds.append({})
    if "error" not in run:
        rounds[number][run["name"]] = run

FLOOR, OURS, TWO = "raw OpenSSH PTY", "portcullis", "Portcullis, two sessions"
BESIDE, RIVAL = "two raw OpenSSH PTYs", "ssh-mcp"


def tell(what, measure, of, limit=None, unit=""):
    values = [measure(*(one[name] for name in of)) for one in rounds if all(name in one for name in of)]
    if not values:
        return
    middle = statistics.median(values)
    if limit is None:
        print(f"       {what}: {middle:.2f}{unit}")
        return
    held = sum(value <= limit for value in values)
    verdict = "holds" if middle <= limit else "FAILS"
    many = f", {held} of {len(values)} rounds" if len(values) > 1 else ""
    print(f"{verdict:6} {what}: {middle:.2f}{unit} (at most {limit:.2f}{unit}{many})")


tell("small command, p50 above the floor", lambda floor, ours: ours["run_p50_ms"] - floor["run_p50_ms"],
     (FLOOR, OURS), 1.0, " ms")
tell("small command, p95", lambda ours: ours["run_p95_ms"], (OURS,), 4.0, " ms")
tell("large output, times the floor", lambda floor, ours: ours["big_s"] / floor["big_s"], (FLOOR, OURS), 1.25)
tell("reply to it", lambda ours: ours["big_chars"], (OURS,), 9000, " characters")
tell("large output beside a second session, times the floor", lambda floor, two: two["big_s"] / floor["big_s"],
     (FLOOR, TWO), 1.25)
tell("second session meanwhile, p95", lambda two: two["meanwhile_p95_ms"], (TWO,), 10.0, " ms")
tell("the same without Portcullis, in two raw PTYs", lambda beside: beside["meanwhile_p95_ms"], (BESIDE,), None, " ms")
tell("small command, p50, of the rival's", lambda rival, ours: ours["run_p50_ms"] / rival["run_p50_ms"],
     (RIVAL, OURS), 0.5)
