// The command `metadata`, and names of other tools on the command line.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { defaultModel } from '../../../lib/models/default-model.js';

const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });

t.test('metadata prints how a picture was made', async (test) => {
  const file = join(mkdtempSync(join(tmpdir(), 'ipa-metadata-')), 'drawn.png');
  execFileSync(process.execPath, [cli, 'generate', '--prompt', 'a man', '--seed', '5', '--steps', '2', '--out', file]);
  const plain = JSON.parse(run('metadata', file).stdout) as object;
  test.match(plain, { version: 1, prompt: 'a man', seed: '5', steps: 2 });
  const { record, parameters } = JSON.parse(run('metadata', file, '--json').stdout) as Record<string, unknown>;
  test.same(record, plain);
  test.match(parameters, 'Seed: 5');
  const bare = run('metadata', defaultModel().references[0]!);
  test.match(bare, { status: 0, stdout: /^$/, stderr: 'says nothing of how it was made' });
  test.match(run('metadata', 'nowhere.png'), { status: 1, stderr: 'IMAGE_EMPTY' });
});

t.test('generate answers names of other tools with the flags to give', async (test) => {
  for (const [given, flags] of [
    [['--sampler', 'DPM++ 2M Karras'], '--sampler dpmpp_2m --schedule karras'],
    [['--schedule', 'Karras'], '--schedule karras'],
    [['--sampler', 'nothing'], 'euler_ancestral'],
    [['--seed', '-1'], 'leave --seed out'],
  ] as const)
    test.match(run('generate', '--prompt', 'a', ...given), { status: 2, stderr: flags }, given.join(' '));
});
