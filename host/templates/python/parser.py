"""A parser: what `df -P` prints, one document per file system."""

import json

from wit_world import exports
from wit_world.exports import output_parser as contract

# Name and version of the documents.
SCHEMA = "df/1"
# The portable form has one line per file system, always with the same columns.
PORTABLE = {"-P", "-kP", "-Pk"}

NUMBER = {"type": "integer", "minimum": 0}
JSON_SCHEMA = {
    "title": SCHEMA,
    "description": "One file system.",
    "type": "object",
    "required": ["file_system", "blocks", "used_blocks", "available_blocks", "mounted_on"],
    "additionalProperties": False,
    "properties": {
        "file_system": {"type": "string"},
        "blocks": NUMBER,
        "used_blocks": NUMBER,
        "available_blocks": NUMBER,
        "used_percent": NUMBER,
        "mounted_on": {"type": "string"},
    },
}


def document(text):
    """The document of a line, or none where it does not fit."""
    fields = text.split(None, 5)
    if len(fields) != 6 or not fields[4].endswith("%"):
        return None
    numbers = [*fields[1:4], fields[4][:-1]]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    blocks, used, available, percent = map(int, numbers)
    return {
        "file_system": fields[0],
        "blocks": blocks,
        "used_blocks": used,
        "available_blocks": available,
        "used_percent": percent,
        "mounted_on": fields[5].rstrip(),
    }


class Parse(contract.Parse):
    def __init__(self):
        self.rest = b""
        self.line = 0

    def push(self, chunk):
        """Chunks end anywhere, so the last line waits for its end."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        return self.read(lines)

    def finish(self, exit_code, truncated):
        return self.read([self.rest] if self.rest else [])

    def read(self, lines):
        """A line becomes a document, or is left as it is: nothing is guessed."""
        batch = contract.Batch(documents=[], unparsed=[])
        for line in lines:
            self.line += 1
            text = line.decode("utf-8", "replace")
            if self.line == 1 and text.startswith("Filesystem"):
                continue
            found = document(text)
            if found is None:
                batch.unparsed.append(contract.Unparsed(self.line, text))
            else:
                batch.documents.append(json.dumps(found))
        return batch


class OutputParser(exports.OutputParser):
    def describe(self):
        return [contract.ParserInfo(SCHEMA, json.dumps(JSON_SCHEMA))]

    def can_parse(self, meta, head):
        if meta.argv[:1] == ["df"] and PORTABLE & set(meta.argv[1:]):
            return contract.Claim(score=90, schema=SCHEMA)
        return None

    def begin(self, meta, schema):
        return Parse()
