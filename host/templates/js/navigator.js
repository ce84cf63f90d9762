// A navigator: a menu that lists servers by number, and logs in to the one that is chosen.
//
// A route's parameter `target` is the server's name. Settings: `prompt`, with which the menu asks.

// A screen is looked at when no byte has come for so long, in milliseconds.
const QUIET_MS = 100;
// For the menu and for the server's shell, in milliseconds.
const TIMEOUT_MS = 10_000;
// Rows shown with a failure.
const SHOWN_ROWS = 10;
const PROMPT = 'Select a server:';

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
    if (key !== 'prompt') throw new Wrong(key, 'this setting is not known');
  }
  const prompt = settings.prompt ?? PROMPT;
  if (typeof prompt !== 'string') throw new Wrong('prompt', 'a text is needed');
  return { prompt };
}

/** The screen's lines: a row that goes on in the next one is joined with it. */
function linesOf(screen) {
  const lines = [];
  let line = '';
  for (const row of screen.rows) {
    line += row.text;
    if (!row.wrapped) {
      lines.push(line);
      line = '';
    }
  }
  return [...lines, line].filter((text) => text.trim() !== '');
}

function asks(settings, screen) {
  return linesOf(screen).at(-1)?.trimEnd() === settings.prompt;
}

function failed(code, message, screen) {
  return { tag: 'fail', val: { code, message, rows: screen ? linesOf(screen).slice(-SHOWN_ROWS) : [] } };
}

class Navigation {
  constructor(settings, target) {
    this.settings = settings;
    this.target = target;
    this.state = 'menu';
  }

  next(event) {
    const { tag, val } = event;
    if (tag === 'refused') return failed('refused', val);
    if (tag === 'timed-out') return failed('menu-silent', `${this.target}: the menu did not answer`, val);
    if (this.state === 'entering' && tag === 'level-entered') {
      return { tag: 'done', val: { label: this.target, attributes: [] } };
    }
    if (this.state === 'menu') return asks(this.settings, val) ? this.choose(val) : wait();
    return this.answered(val);
  }

  // Exactly one entry may have the name: nothing is guessed.
  choose(screen) {
    const entries = linesOf(screen).map((line) => /^\s*(\d+)\)\s*(.*?)\s*$/.exec(line)).filter(Boolean);
    const fitting = entries.filter(([, , name]) => name === this.target);
    if (fitting.length === 0) return failed('target-not-found', `${this.target}: the menu does not list it`, screen);
    if (fitting.length > 1) return failed('ambiguous', `${this.target}: several entries have this name`, screen);
    this.state = 'chosen';
    return { tag: 'send-line', val: fitting[0][1] };
  }

  answered(screen) {
    if (asks(this.settings, screen)) return failed('rejected', `${this.target}: the menu asks again`, screen);
    this.state = 'entering';
    return { tag: 'enter-level', val: { kind: 'shell', label: this.target, dialect: 'bash', attributes: [] } };
  }
}

function wait() {
  return { tag: 'wait', val: { anyText: [], quietMs: QUIET_MS, maxMs: TIMEOUT_MS } };
}

export const menuNavigator = {
  Navigation,

  validateConfig(config) {
    try {
      read(config);
      return [];
    } catch (error) {
      return [{ path: error.path ?? '', message: error.message }];
    }
  },

  recognise(config, screen) {
    return asks(read(config), screen) ? 80 : 0;
  },

  begin(config, goal) {
    const target = goal.parameters.find(({ key }) => key === 'target')?.value;
    if (target === undefined) throw { tag: 'invalid-input', val: "the route needs `target`, the server's name" };
    return new Navigation(read(config), target);
  },
};
