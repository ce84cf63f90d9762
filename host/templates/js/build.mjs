// Makes {{name}}.wasm of plugin.js. Every feature is switched off, because a plugin has none of them:
// a component that imports WASI is refused when it is loaded.
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize(await readFile('plugin.js', 'utf8'), {
  witPath: 'wit',
  worldName: '{{kind}}-plugin',
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await writeFile('{{name}}.wasm', component);
