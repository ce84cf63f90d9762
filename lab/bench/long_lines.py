#!/usr/bin/env python3
"""What the longest lines cost to judge: 16 KiB in the shapes that are worst for a parser or a policy.

usage: lab/bench/long_lines.py PORTCULLIS [REPEATS]

Each line goes REPEATS times (default 40) through `portcullis policy evaluate`, which parses it and asks the policies
of both modes, `safe` and `full`; the time of a run without lines is taken off, and what is left divided by both.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

LINE_BYTES = 16 * 1024 - 64
# One unit each of what is repeated: first what exceeds a limit of the parser, then what stays just below.
BEYOND = {
    "commands": "ls;", "wrappers": "sudo ", "pipes": "a|", "substitutions": "$(ls) ", "words": "w ",
    "redirections": ">/srv/a ", "nested shells": "sh -c ls;", "loops": "for i in a b c;do ls $i;done;",
    "conditions": "if a;then b;fi;", "assignments": "A=1 ", "directories": "cd a;ls;",
}
BELOW = {
    "files removed": ("rm ", "/srv/a/b "), "files changed": ("chmod 644 ", "/srv/a/b "),
    "patterns": ("a=xxxxxxxx;echo ", "${a//x/yy} "), "stars in patterns": ("a=" + "x" * 200 + ";echo ", "${a//*x*x*y/z} "),
    "one word": ("echo ", "a"), "a here-document": ("cat <<'EOF' >/tmp/x\n", "some line of text here\n"),
    "arithmetic": ("echo ", "$((1+1))"), "250 commands": ("", "sed -i s/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b/ f;"),
}


def filled(head, unit, most=None):
    count = (LINE_BYTES - len(head)) // len(unit)
    return head + unit * min(count, most or count)


def seconds(program, lines, folder):
    path = os.path.join(folder, "lines.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": str(index), "cmd": line}) + "\n" for index, line in enumerate(lines))
    best = float("inf")
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([program, "policy", "evaluate", "--jsonl", path], check=True, capture_output=True)
        best = min(best, time.monotonic() - began)
    return best


def main():
    program, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    shapes = {name: filled("", unit) + "ls" for name, unit in BEYOND.items()}
    for name, (head, unit) in BELOW.items():
        shapes[name] = filled(head, unit, 250 if name == "250 commands" else None)
    with tempfile.TemporaryDirectory() as folder:
        nothing = seconds(program, [], folder)
        costs = {name: (seconds(program, [line] * repeats, folder) - nothing) / repeats / 2 for name, line in shapes.items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"{cost * 1000:7.2f} ms  {name}")


if __name__ == "__main__":
    main()
