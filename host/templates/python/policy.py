"""A policy: some programs are started by people only.

Settings: `programs`, their base names.
"""

import json

from wit_world import exports
from wit_world.exports import command_policy as contract
from wit_world.imports.types import ConfigDiagnostic, Severity

# Rules have stable names: exceptions and records refer to them.
RULE = "team/people-only"
CATEGORY = "availability"
PROGRAMS = ["reboot", "shutdown", "poweroff"]


class Wrong(Exception):
    """What is wrong with the settings, by its key."""

    def __init__(self, path, message):
        super().__init__(message)
        self.path = path


def read(config):
    settings = json.loads(config)
    for key in settings:
        if key != "programs":
            raise Wrong(key, "this setting is not known")
    programs = settings.get("programs", PROGRAMS)
    if not isinstance(programs, list) or not all(isinstance(name, str) for name in programs):
        raise Wrong("programs", "a list of names is needed")
    return programs


class Evaluator(contract.Evaluator):
    def __init__(self, programs):
        self.programs = programs

    def evaluate(self, request):
        """`request.plan` is what the line would run, quotes, variables and wrappers such as `sudo` resolved.

        No decision means no opinion; the standard policy has been asked already.
        """
        invocations = request.plan.invocations if request.plan else []
        return [decision(one) for one in invocations if one.program in self.programs]


def decision(invocation):
    return contract.Decision(
        verdict=contract.Verdict.DENY,
        rule_id=RULE,
        category=CATEGORY,
        severity=Severity.HIGH,
        reason=f"{invocation.program} is started by people only",
        suggestion="ask the person at the terminal to start it",
        evidence=invocation.span,
        rewritten=None,
        attributes=[],
    )


class CommandPolicy(exports.CommandPolicy):
    def validate_config(self, config):
        try:
            read(config)
        except Wrong as wrong:
            return [ConfigDiagnostic(wrong.path, str(wrong))]
        return []

    def rules(self, config):
        return [contract.RuleInfo(RULE, "A program that people start", CATEGORY, Severity.HIGH)]

    def create(self, config):
        return Evaluator(read(config))
