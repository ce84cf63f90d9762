// A policy: some programs are started by people only.
//
// Settings: `programs`, their base names.

// Rules have stable names: exceptions and records refer to them.
const RULE = 'team/people-only';
const CATEGORY = 'availability';
const PROGRAMS = ['reboot', 'shutdown', 'poweroff'];

/** What is wrong with the settings, by its key. */
class Wrong extends Error {
  constructor(path, message) {
    super(message);
    this.path = path;
  }
}

function read(config) {
  const settings = JSON.parse(config);
  for (const key of Object.keys(settings)) {
    if (key !== 'programs') throw new Wrong(key, 'this setting is not known');
  }
  const programs = settings.programs ?? PROGRAMS;
  if (!Array.isArray(programs) || programs.some((name) => typeof name !== 'string')) {
    throw new Wrong('programs', 'a list of names is needed');
  }
  return { programs };
}

class Evaluator {
  constructor(settings) {
    this.settings = settings;
  }

  // `request.plan` is what the line would run, quotes, variables and wrappers such as `sudo` resolved.
  // No decision means no opinion; the standard policy has been asked already.
  evaluate(request) {
    const invocations = request.plan?.invocations ?? [];
    return invocations
      .filter((invocation) => this.settings.programs.includes(invocation.program))
      .map((invocation) => ({
        verdict: 'deny',
        ruleId: RULE,
        category: CATEGORY,
        severity: 'high',
        reason: `${invocation.program} is started by people only`,
        suggestion: 'ask the person at the terminal to start it',
        evidence: invocation.span,
        rewritten: undefined,
        attributes: [],
      }));
  }
}

export const commandPolicy = {
  Evaluator,

  validateConfig(config) {
    try {
      read(config);
      return [];
    } catch (error) {
      return [{ path: error.path ?? '', message: error.message }];
    }
  },

  rules() {
    return [{ ruleId: RULE, title: 'A program that people start', category: CATEGORY, severity: 'high' }];
  },

  create(config) {
    return new Evaluator(read(config));
  },
};
