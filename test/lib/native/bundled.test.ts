// The package inside a bundle: it says so and how to mend it, and left external it works.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Format } from 'esbuild';
import t from 'tap';
import { program } from '../sketch.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ipa-bundle-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules/node-ip-adapter'), 'junction');

const SOURCE = `import('node-ip-adapter').then(({ devices }) => devices()).then(
  (found) => console.log(found[0].id),
  (error) => console.log(error.code + ': ' + error.message + '. ' + error.hint),
);`;

const bundled = async (format: Format, external: string[]): Promise<string> => {
  const entry = join(folder, 'app.mjs');
  writeFileSync(entry, SOURCE);
  const outfile = join(folder, 'out', format === 'cjs' ? 'app.cjs' : 'app.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    format,
    external,
    bundle: true,
    platform: 'node',
    preserveSymlinks: true,
    logLevel: 'silent',
  });
  const { out, err, code } = await program([outfile]);
  if (code !== 0) throw new Error(`the bundle ended with ${code}: ${err}`);
  return out.trim();
};

for (const format of ['esm', 'cjs'] as const)
  t.test(`in a bundle of the form ${format}`, async (test) => {
    const inside = await bundled(format, []);
    test.match(inside, /^BINARY_NOT_FOUND: .*bundled: mark node-ip-adapter external/);
    test.match(inside, '--external:node-ip-adapter');
    test.match(inside, "externals: ['node-ip-adapter']");
    test.match(inside, "serverExternalPackages: ['node-ip-adapter']");
    test.equal(await bundled(format, ['node-ip-adapter']), 'cpu');
  });
