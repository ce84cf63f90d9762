"""A real SFTP server with one thing wrong: `sftp_filter.py WRONG SERVER`.

WRONG is `no-rename` (every rename fails), `dies-at-rename` (it ends there), `plain` (it offers no extensions),
`swap-fails` (as well, and the second rename fails), `evil-names` (lists hold names that lead out).
"""

import struct
import subprocess
import sys
import threading

VERSION, READDIR, RENAME, STATUS, NAME, EXTENDED = 2, 12, 18, 101, 104, 200
END, FAILURE = 1, 4
EVIL = [b"../../x", b"/etc/passwd", b"", b"\x1b[2Jx", b"."]

wrong, server = sys.argv[1:]
child = subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
output = threading.Lock()


def packets(stream):
    while True:
        head = stream.read(4)
        if len(head) < 4:
            return
        length = struct.unpack(">I", head)[0]
        body = b""
        while len(body) < length:
            piece = stream.read(length - len(body))
            if not piece:
                return
            body += piece
        yield body


def send(body):
    with output:
        sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
        sys.stdout.buffer.flush()


def answers():
    for body in packets(child.stdout):
        send(body[:5] if wrong in ("plain", "swap-fails") and body[0] == VERSION else body)


def string(text):
    return struct.pack(">I", len(text)) + text


threading.Thread(target=answers, daemon=True).start()
listed = False
seen = 0
for body in packets(sys.stdin.buffer):
    renames = body[0] == RENAME or (body[0] == EXTENDED and b"posix-rename" in body)
    if renames and wrong == "dies-at-rename":
        child.kill()
        sys.exit(1)
    seen += renames
    if renames and (wrong == "no-rename" or (wrong == "swap-fails" and seen == 2)):
        send(bytes([STATUS]) + body[1:5] + struct.pack(">III", FAILURE, 0, 0))
        continue
    if body[0] == READDIR and wrong == "evil-names":
        names = b"".join(string(name) + string(b"\x1b[31m") + bytes(4) for name in EVIL)
        end = struct.pack(">III", END, 0, 0)
        send(bytes([STATUS]) + body[1:5] + end if listed else bytes([NAME]) + body[1:5] + struct.pack(">I", len(EVIL)) + names)
        listed = True
        continue
    child.stdin.write(struct.pack(">I", len(body)) + body)
child.stdin.close()
child.wait()
