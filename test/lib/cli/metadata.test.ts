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

t.test('flags reach the run by the names of their options', async (test) => {
  const file = join(mkdtempSync(join(tmpdir(), 'ipa-flags-')), 'drawn.png');
  const flags = ['--steps', '2', '--size', '128x64', '--eta', '0.5', '--sampler', 'ddim', '--spacing', 'trailing'];
  const more = [
    '--prompt-syntax',
    'plain',
    '--guidance-rescale',
    '0.25',
    '--label',
    'a',
    '--note',
    'b',
    '--clip-skip',
    '1',
  ];
  const reference = ['--reference', defaultModel().references[7]!, '--scale', '0.5', '--pick-face', '0'];
  const { status, stderr } = run('generate', '--prompt', 'a man', ...flags, ...more, ...reference, '--out', file);
  test.equal(status, 0, stderr);
  test.match(JSON.parse(run('metadata', file).stdout), {
    steps: 2,
    width: 128,
    height: 64,
    eta: 0.5,
    sampler: 'ddim',
    spacing: 'trailing',
    promptSyntax: 'plain',
    guidanceRescale: 0.25,
    label: 'a',
    note: 'b',
    clipSkip: [1, 1],
    references: [{ scale: 0.5, pickFace: 0 }],
  });
  for (const count of ['0', '-3', '65', '1e12'])
    test.match(run('generate', '--prompt', 'a', '--count', count), { status: 2, stderr: 'OPTION_RANGE' }, count);
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
