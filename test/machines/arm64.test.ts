// Linux on ARM64, under qemu's user mode with a Node of the registry: the addon loads, says its levels, draws what this
// machine draws; native tests and golden cases run on every level. A part of them: the emulator is slow
// (`npm run test:full` runs all).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { runnerOf } from '../../scripts/cross/run-on.mjs';
import { machineResults } from '../runner/run.mjs';
import { installedFor, root, run } from './app.js';

const LEVELS = ['base', 'armv8.2', 'neon-bf16'];
const NATIVE = ['cpu kernels: matmul', 'the instructions of a bf16 level'];
const GOLDEN = /^(tiny|unit)/;
const PORTRAIT = {
  prompt: 'portrait of a woman, smiling, wearing a blue sweater, green background',
  seed: 2,
};
const REFERENCE = join(root, 'models', 'sketch', 'references', 'person-3-1.png');

const runner = runnerOf('linux-arm64');
if (typeof runner === 'string') {
  t.comment(`not run: ${runner}`);
  t.test('linux-arm64', { skip: runner }, async () => {});
} else {
  const target = machine('linux-arm64');
  const products = crossBuild(target, ['node_ip_adapter', 'ipa_test', 'ipa_golden']);
  const prebuilt = join(target.folder, target.file);
  const app = await installedFor({
    os: 'linux',
    cpu: 'arm64',
    prebuilt,
    addon: join(products, 'node_ip_adapter.node'),
  });
  t.teardown(app.remove);
  const node = runner.node!();

  t.test('doctor', async (test) => {
    const cli = join(app.home, 'dist', 'cli', 'index.js');
    const { status, stdout, stderr } = await run([...runner.before, node, cli, 'doctor'], app.folder);
    test.equal(status, 0, stderr);
    test.match(stdout, /linux-arm64/);
    test.match(stdout, new RegExp(`of ${LEVELS.join(', ')};`));
  });

  t.test('the quickstart portrait is that of this machine within 2 grey levels', async (test) => {
    const draw = async (words: readonly string[], level: string): Promise<Buffer> => {
      const to = join(app.folder, `${level}.raw`);
      const { status, stderr } = await run(
        [...words, join(app.folder, 'draw.mjs'), to, REFERENCE, JSON.stringify(PORTRAIT)],
        app.folder,
        { IPA_CPU: level },
      );
      test.equal(status, 0, stderr);
      return readFileSync(to);
    };
    const there = await draw([...runner.before, node], 'armv8.2');
    const here = await draw([process.execPath], 'base');
    test.equal(there.length, here.length);
    const most = here.reduce((largest, value, at) => Math.max(largest, Math.abs(value - there[at]!)), 0);
    test.ok(most <= 2, `differs by ${most}`);
  });

  for (const words of NATIVE)
    t.test(`native tests: ${words}`, async (test) => {
      const { status, stdout, stderr } = await run([...runner.before, join(products, 'ipa_test'), words], root);
      test.equal(status, 0, `${stdout}${stderr}`);
      test.match(stdout, /^[1-9]\d* passed, 0 failed, 0 skipped$/m);
    });

  t.test('golden cases', async (test) => {
    const words = [...runner.before, join(products, 'ipa_golden')];
    const seen = new Set<string>();
    for await (const { case: name, level, status, message } of machineResults(
      words,
      join(root, 'test', 'golden'),
      LEVELS,
      ({ name }) => GOLDEN.test(name),
    )) {
      seen.add(level);
      test.equal(status, 'passed', `${name} on ${level}: ${message}`);
    }
    test.same([...seen].filter((level) => level !== '').sort(), [...LEVELS].sort());
  });
}
