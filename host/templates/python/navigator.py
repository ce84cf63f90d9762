"""A navigator: a menu that lists servers by number, and logs in to the one that is chosen.

A route's parameter `target` is the server's name. Settings: `prompt`, with which the menu asks.
"""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import menu_navigator as contract
from wit_world.imports.types import ConfigDiagnostic, Level, LevelKind, PluginError_InvalidInput, ShellDialect

# A screen is looked at when no byte has come for so long, in milliseconds.
QUIET_MS = 100
# For the menu and for the server's shell, in milliseconds.
TIMEOUT_MS = 10_000
# Rows shown with a failure.
SHOWN_ROWS = 10
PROMPT = "Select a server:"


class Wrong(Exception):
    """What is wrong with the settings, by its key."""

    def __init__(self, path, message):
        super().__init__(message)
        self.path = path


def read(config):
    settings = json.loads(config)
    for key in settings:
        if key != "prompt":
            raise Wrong(key, "this setting is not known")
    prompt = settings.get("prompt", PROMPT)
    if not isinstance(prompt, str):
        raise Wrong("prompt", "a text is needed")
    return prompt


def lines_of(screen):
    """The screen's lines: a row that goes on in the next one is joined with it."""
    text = "".join(row.text if row.wrapped else row.text + "\n" for row in screen.rows)
    return [line for line in text.split("\n") if line.strip()]


def asks(prompt, screen):
    return lines_of(screen)[-1:] != [] and lines_of(screen)[-1].rstrip() == prompt


def failed(code, message, screen=None):
    rows = lines_of(screen)[-SHOWN_ROWS:] if screen else []
    return contract.Step_Fail(contract.Failure(code, message, rows))


class Navigation(contract.Navigation):
    def __init__(self, prompt, target):
        self.prompt = prompt
        self.target = target
        self.state = "menu"

    def next(self, event):
        if isinstance(event, contract.Event_Refused):
            return failed("refused", event.value)
        if isinstance(event, contract.Event_TimedOut):
            return failed("menu-silent", f"{self.target}: the menu did not answer", event.value)
        if self.state == "entering" and isinstance(event, contract.Event_LevelEntered):
            return contract.Step_Done(contract.Outcome(self.target, []))
        if self.state == "menu":
            return self.choose(event.value) if asks(self.prompt, event.value) else wait()
        return self.answered(event.value)

    def choose(self, screen):
        """Exactly one entry may have the name: nothing is guessed."""
        entries = [re.fullmatch(r"\s*(\d+)\)\s*(.*?)\s*", line) for line in lines_of(screen)]
        fitting = [entry[1] for entry in entries if entry and entry[2] == self.target]
        if not fitting:
            return failed("target-not-found", f"{self.target}: the menu does not list it", screen)
        if len(fitting) > 1:
            return failed("ambiguous", f"{self.target}: several entries have this name", screen)
        self.state = "chosen"
        return contract.Step_SendLine(fitting[0])

    def answered(self, screen):
        if asks(self.prompt, screen):
            return failed("rejected", f"{self.target}: the menu asks again", screen)
        self.state = "entering"
        return contract.Step_EnterLevel(Level(LevelKind.SHELL, self.target, ShellDialect.BASH, []))


def wait():
    return contract.Step_Wait(contract.WaitFor(any_text=[], quiet_ms=QUIET_MS, max_ms=TIMEOUT_MS))


class MenuNavigator(exports.MenuNavigator):
    def validate_config(self, config):
        try:
            read(config)
        except Wrong as wrong:
            return [ConfigDiagnostic(wrong.path, str(wrong))]
        return []

    def recognise(self, config, screen):
        return 80 if asks(read(config), screen) else 0

    def begin(self, config, goal):
        targets = [parameter.value for parameter in goal.parameters if parameter.key == "target"]
        if not targets:
            raise Err(PluginError_InvalidInput("the route needs `target`, the server's name"))
        return Navigation(read(config), targets[0])
