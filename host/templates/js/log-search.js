// A log search with `grep -r`, for places that have nothing else.
//
// Settings: `sources`, searched when a query names none.

// More output than this is not asked for, in bytes.
const MAX_BYTES = 4n << 20n;
// Longest run of the command, in seconds.
const MAX_SECONDS = 30;
// What grep ends with when nothing was found.
const NOTHING_FOUND = 1;
const SOURCES = ['/var/log'];

/** What is wrong with the settings, by its key. */
class Wrong extends Error {
  constructor(path, message) {
    super(message);
    this.path = path;
  }
}

function settingsOf(config) {
  const settings = JSON.parse(config);
  for (const key of Object.keys(settings)) {
    if (key !== 'sources') throw new Wrong(key, 'this setting is not known');
  }
  const sources = settings.sources ?? SOURCES;
  if (!Array.isArray(sources) || sources.some((name) => typeof name !== 'string')) {
    throw new Wrong('sources', 'a list of folders is needed');
  }
  return { sources };
}

function unsupported(val) {
  return { tag: 'unsupported', val };
}

class Reader {
  constructor(maxMatches) {
    this.decoder = new TextDecoder();
    this.rest = '';
    this.left = maxMatches;
  }

  // Chunks end anywhere, so the last line waits for its end.
  push(chunk) {
    const lines = (this.rest + this.decoder.decode(chunk, { stream: true })).split('\n');
    this.rest = lines.pop();
    return this.batch(lines);
  }

  finish() {
    return this.batch([this.rest + this.decoder.decode()]);
  }

  // `FILE:NUMBER:TEXT`; other lines are complaints of grep's.
  batch(lines) {
    const found = lines.map((line) => /^([^:]+):(\d+):(.*)$/.exec(line)).filter(Boolean);
    const matches = found.slice(0, this.left).map(([, source, line, text]) => ({
      source,
      line: BigInt(line),
      unixMs: undefined,
      level: undefined,
      text,
      before: [],
      after: [],
      fields: [],
    }));
    this.left -= matches.length;
    return { matches, stop: this.left === 0 };
  }
}

export const logSearch = {
  Reader,

  validateConfig(config) {
    try {
      settingsOf(config);
      return [];
    } catch (error) {
      return [{ path: error.path ?? '', message: error.message }];
    }
  },

  wantedTools() {
    return ['grep'];
  },

  // Words, never shell text: the host quotes them and has the policies judge the line.
  makePlan(config, query, remote) {
    if (!remote.tools.some(({ name }) => name === 'grep')) throw unsupported('there is no grep at this place');
    if (query.mode === 'all-words') throw unsupported('all_words; search for one text');
    const argv = ['grep', '-rnHI', query.mode === 'regex' ? '-E' : '-F'];
    if (query.ignoreCase) argv.push('-i');
    argv.push('-m', String(query.maxMatches), '-e', query.text);
    argv.push(...query.include.map((pattern) => `--include=${pattern}`));
    // Behind `--` no name is taken for an option.
    argv.push('--', ...(query.sources.length ? query.sources : settingsOf(config).sources));
    return {
      pipeline: [{ argv }],
      maxBytes: MAX_BYTES,
      maxSeconds: MAX_SECONDS,
      emptyExitCodes: [NOTHING_FOUND],
      attributes: [],
    };
  },

  read(query) {
    return new Reader(query.maxMatches);
  },
};
