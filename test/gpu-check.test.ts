// The GPU check on the emulated device: its file is whole, and a wrong result is noticed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = join(root, 'build-cmake/Release/ipa_gpu_check');
const out = mkdtempSync(join(tmpdir(), 'ipa-gpu-check-'));
t.teardown(() => rmSync(out, { recursive: true, force: true }));

interface Written {
  readonly machine: { readonly emulated: boolean };
  readonly failures: readonly string[];
  readonly measurements: readonly { kernel: string; path: string; err: number | null; ms_median: number | null }[];
}

function check(args: readonly string[], damage = '') {
  const { status, stdout } = spawnSync(program, ['--emulated', '--out', out, ...args], {
    env: { ...process.env, IPA_GPU_CHECK_BREAK: damage },
    encoding: 'utf8',
  });
  const written = JSON.parse(readFileSync(join(out, 'gpu-check.json'), 'utf8')) as Written;
  return { status, stdout, written };
}

if (!existsSync(program)) {
  const built = spawnSync('node', ['scripts/build-native.cjs', '--target', 'ipa_gpu_check'], {
    cwd: root,
    encoding: 'utf8',
  });
  t.equal(built.status, 0, `ipa_gpu_check is built${built.status === 0 ? '' : `: ${built.stderr}`}`);
}

t.test('vectors, norms and a network: no wrong result, a file that is whole', async (test) => {
  const { status, stdout, written } = check(['--only', 'vectors,norm,networks']);
  test.equal(status, 0, stdout);
  test.equal(written.machine.emulated, true);
  test.same(written.failures, []);
  test.ok(written.measurements.some(({ kernel }) => kernel === 'step tiny'));
  // The error of a network is that of its graph; launch by launch there is the time alone.
  for (const { kernel, path, err, ms_median: ms } of written.measurements)
    test.ok((path === 'direct' || (err !== null && err > 0)) && ms !== null, `${kernel} has an error and a time`);
  test.ok(existsSync(join(out, 'vectors/multiply_k16_f16.jsonl')));
  test.match(stdout, /0 wrong results/);
});

t.test('a wrong number in one kernel, or in one measured result, ends with 1 and names it', async (test) => {
  for (const [only, damaged] of [
    ['softmax', 'softmax_f16'],
    ['norm', 'layer_norm'],
  ] as const) {
    const { status, written } = check(['--only', only], damaged);
    test.equal(status, 1, damaged);
    test.ok(
      written.failures.some((text) => text.startsWith(damaged)),
      damaged,
    );
  }
});
