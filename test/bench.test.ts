// The bench builds and measures: one row of it, so that a change elsewhere cannot break it unseen.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));

t.test('one row', async (test) => {
  const json = join(test.testdir(), 'bench.json');
  const args = [
    'scripts/bench.mjs',
    '--level',
    'base',
    '--only',
    '256x1280x1280',
    '--repetitions',
    '1',
    '--json',
    json,
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  test.equal(status, 0, stderr);
  test.match(stdout, /matmul 256x1280x1280/);
  const { rows } = JSON.parse(readFileSync(json, 'utf8')) as { rows: readonly { name: string; seconds: number }[] };
  test.ok(rows.length > 0 && rows.every(({ name, seconds }) => name.startsWith('matmul') && seconds >= 0));
});
