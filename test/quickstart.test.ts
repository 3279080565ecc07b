import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import t from 'tap';

const run = promisify(execFile);
const root = new URL('..', import.meta.url).pathname;
const require = createRequire(import.meta.url);
const { levels } = require(join(root, 'build-cmake', 'Release', 'node_ip_adapter.node')) as { levels(): string[] };

const pixels = (file: string): Promise<Buffer> => sharp(file).removeAlpha().raw().toBuffer();

/** What `npm run quickstart` draws, in f32, by one CPU level. */
const quickstart = async (level: string, out: string): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, [join(root, 'scripts', 'quickstart.mjs'), '--dtype', 'f32', '--out', out], {
    env: { ...process.env, IPA_CPU: level, INIT_CWD: tmpdir() },
  });

t.test('the picture in the README is what the quickstart draws', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ipa-quickstart-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const shown = await pixels(join(root, 'docs', 'quickstart.png'));
  for (const level of ['base', 'avx2', 'avx512']) {
    await t.test(
      `on ${level}, within 2 grey levels`,
      { skip: levels().includes(level) ? false : `this CPU has no ${level}` },
      async (t) => {
        const out = join(folder, `${level}.png`);
        const { stdout, stderr } = await quickstart(level, out);
        t.equal(stdout, `${out}\n`, 'stdout is the path alone');
        t.notMatch(stderr, /warn/i, 'no warning is printed');
        const drawn = await pixels(out);
        t.equal(drawn.length, shown.length);
        const worst = drawn.reduce((most, value, i) => Math.max(most, Math.abs(value - (shown[i] as number))), 0);
        t.ok(worst <= 2, `worst difference ${worst} grey levels`);
      },
    );
  }
});
