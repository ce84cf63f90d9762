// A parser: what `df -P` prints, one document per file system.

// Name and version of the documents.
const SCHEMA = 'df/1';
// The portable form has one line per file system, always with the same columns.
const PORTABLE = ['-P', '-kP', '-Pk'];

const number = { type: 'integer', minimum: 0 };
const JSON_SCHEMA = {
  title: SCHEMA,
  description: 'One file system.',
  type: 'object',
  required: ['file_system', 'blocks', 'used_blocks', 'available_blocks', 'mounted_on'],
  additionalProperties: false,
  properties: {
    file_system: { type: 'string' },
    blocks: number,
    used_blocks: number,
    available_blocks: number,
    used_percent: number,
    mounted_on: { type: 'string' },
  },
};

class Parse {
  constructor() {
    this.decoder = new TextDecoder();
    this.rest = '';
    this.line = 0;
  }

  // Chunks end anywhere, so the last line waits for its end.
  push(chunk) {
    const lines = (this.rest + this.decoder.decode(chunk, { stream: true })).split('\n');
    this.rest = lines.pop();
    return this.read(lines);
  }

  finish() {
    const rest = this.rest + this.decoder.decode();
    return this.read(rest === '' ? [] : [rest]);
  }

  // A line becomes a document, or is left as it is: nothing is guessed.
  read(lines) {
    const batch = { documents: [], unparsed: [] };
    for (const text of lines) {
      this.line += 1;
      if (this.line === 1 && text.startsWith('Filesystem')) continue;
      const document = documentOf(text);
      if (document) batch.documents.push(JSON.stringify(document));
      else batch.unparsed.push({ line: this.line, text });
    }
    return batch;
  }
}

function documentOf(text) {
  const fields = /^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(\S.*)$/.exec(text);
  if (!fields) return undefined;
  const [, fileSystem, blocks, used, available, percent, mountedOn] = fields;
  return {
    file_system: fileSystem,
    blocks: Number(blocks),
    used_blocks: Number(used),
    available_blocks: Number(available),
    used_percent: Number(percent),
    mounted_on: mountedOn,
  };
}

export const outputParser = {
  Parse,

  describe() {
    return [{ schema: SCHEMA, jsonSchema: JSON.stringify(JSON_SCHEMA) }];
  },

  canParse(meta) {
    const [program, ...options] = meta.argv;
    const isPortable = options.some((option) => PORTABLE.includes(option));
    return program === 'df' && isPortable ? { score: 90, schema: SCHEMA } : undefined;
  },

  begin() {
    return new Parse();
  },
};
