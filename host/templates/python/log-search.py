"""A log search with `grep -r`, for places that have nothing else.

Settings: `sources`, searched when a query names none.
"""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import log_search as contract
from wit_world.imports.types import ConfigDiagnostic, PluginError_Unsupported

# More output than this is not asked for, in bytes.
MAX_BYTES = 4 << 20
# Longest run of the command, in seconds.
MAX_SECONDS = 30
# What grep ends with when nothing was found.
NOTHING_FOUND = 1
SOURCES = ["/var/log"]


class Wrong(Exception):
    """What is wrong with the settings, by its key."""

    def __init__(self, path, message):
        super().__init__(message)
        self.path = path


def sources_of(config):
    settings = json.loads(config)
    for key in settings:
        if key != "sources":
            raise Wrong(key, "this setting is not known")
    sources = settings.get("sources", SOURCES)
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources):
        raise Wrong("sources", "a list of folders is needed")
    return sources


def unsupported(what):
    return Err(PluginError_Unsupported(what))


class Reader(contract.Reader):
    def __init__(self, max_matches):
        self.rest = b""
        self.left = max_matches

    def push(self, chunk):
        """Chunks end anywhere, so the last line waits for its end."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        return self.batch(lines)

    def finish(self, exit_code, truncated):
        return self.batch([self.rest])

    def batch(self, lines):
        """`FILE:NUMBER:TEXT`; other lines are complaints of grep's."""
        found = [re.fullmatch(r"([^:]+):(\d+):(.*)", line.decode("utf-8", "replace")) for line in lines]
        matches = [match(*line.groups()) for line in found if line][: self.left]
        self.left -= len(matches)
        return contract.Batch(matches, self.left == 0)


def match(source, line, text):
    return contract.LogMatch(
        source=source, line=int(line), unix_ms=None, level=None, text=text, before=[], after=[], fields=[]
    )


class LogSearch(exports.LogSearch):
    def validate_config(self, config):
        try:
            sources_of(config)
        except Wrong as wrong:
            return [ConfigDiagnostic(wrong.path, str(wrong))]
        return []

    def wanted_tools(self):
        return ["grep"]

    def make_plan(self, config, query, remote):
        """Words, never shell text: the host quotes them and has the policies judge the line."""
        if not any(tool.name == "grep" for tool in remote.tools):
            raise unsupported("there is no grep at this place")
        if query.mode == contract.MatchMode.ALL_WORDS:
            raise unsupported("all_words; search for one text")
        argv = ["grep", "-rnHI", "-E" if query.mode == contract.MatchMode.REGEX else "-F"]
        if query.ignore_case:
            argv.append("-i")
        argv += ["-m", str(query.max_matches), "-e", query.text]
        argv += [f"--include={pattern}" for pattern in query.include]
        # Behind `--` no name is taken for an option.
        argv += ["--", *(query.sources or sources_of(config))]
        return contract.Plan(
            pipeline=[contract.Stage(argv)],
            max_bytes=MAX_BYTES,
            max_seconds=MAX_SECONDS,
            empty_exit_codes=[NOTHING_FOUND],
            attributes=[],
        )

    def read(self, query, plan):
        return Reader(query.max_matches)
