// The package under every way people load it, installed from the tarball. Those of large downloads: loaders.full.ts.
import t from 'tap';
import { documented, strayFolders, tableOfLoaders, testLoaders } from './draws.js';

t.test('docs/loading.md has the table', async (test) => {
  test.strictSame(strayFolders(), []);
  const table = tableOfLoaders();
  test.ok(documented().includes(`<!-- loaders -->\n${table}\n<!-- /loaders -->`), `it is\n${table}`);
});

t.test('each draws a portrait', (test) => testLoaders(test, 'test'));
