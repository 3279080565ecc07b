// The commands that speak of cards: devices, doctor, build --cuda, and generate's flags.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { fakeAddon, fakeLibrary, h100, small } from '../native/fake-cards.js';

const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
const run = (args: readonly string[], env: Readonly<Record<string, string>>) => {
  const all = { ...process.env, IPA_BINARY: fakeAddon, IPA_DEVICE: '', ...env };
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', env: all });
};

const library = fakeLibrary({ devices: [h100, small] });
const crashing = fakeLibrary({ signal: 'SIGSEGV' });
const nowhere = join(tmpdir(), 'nowhere', 'ipa_cuda.so');
const tooSmall = 'NVIDIA GeForce MX450 has 2.1 GB of memory, an SD1.5 needs 2.5 GB';

t.test('devices', async (test) => {
  const good = run(['devices'], { IPA_CUDA_LIBRARY: library });
  test.equal(good.status, 0, good.stderr);
  test.same(good.stdout.trim().split('\n'), [
    'cpu  base (levels: base)',
    'cuda:0  NVIDIA H100 80GB HBM3 (compute capability 9.0, 85 GB, driver for CUDA 13.0)',
    `cuda:1  ${tooSmall}`,
  ]);
  const json = JSON.parse(run(['devices', '--json'], { IPA_CUDA_LIBRARY: library }).stdout) as object[];
  test.match(json, [
    { id: 'cpu', usable: true },
    { ...h100, usable: true },
    { id: 'cuda:1', usable: false, reason: tooSmall },
  ]);
  const none = run(['devices'], { IPA_CUDA_LIBRARY: nowhere });
  test.match(none, { status: 0, stdout: /^cuda {2}IPA_CUDA_LIBRARY names .*nowhere/m, stderr: '' });
  test.match(run(['devices'], { IPA_CUDA_LIBRARY: crashing }).stdout, /^cuda {2}.*crashed with SIGSEGV/m);
});

t.test('doctor: cards and the library, or the reason', async (test) => {
  const good = run(['doctor'], { IPA_CUDA_LIBRARY: library });
  test.equal(good.status, 0, good.stderr);
  test.match(good.stdout, /^CUDA {4}cuda:0 {2}NVIDIA H100 80GB HBM3 \(compute capability 9\.0/m);
  test.match(good.stdout, `CUDA    cuda:1  not used: ${tooSmall}\n        ${library}\n`);
  const { cuda } = JSON.parse(run(['doctor', '--json'], { IPA_CUDA_LIBRARY: library }).stdout) as { cuda: object };
  test.match(cuda, {
    usable: true,
    library,
    cards: [
      { ...h100, usable: true },
      { id: 'cuda:1', usable: false },
    ],
  });
  test.notOk('reason' in cuda);

  const bad = run(['doctor', '--json'], { IPA_CUDA_LIBRARY: crashing });
  test.match(bad, { status: 0 }, 'the CPU works');
  test.match(JSON.parse(bad.stdout), {
    cuda: { usable: false, library: crashing, cards: [], reason: /crashed with SIGSEGV/ },
    problems: [],
  });
  const none = run(['doctor'], { IPA_CUDA_LIBRARY: nowhere });
  test.match(none, { status: 0, stdout: /^CUDA {4}not used: IPA_CUDA_LIBRARY names/m });
  const noAddon = run(['doctor'], { IPA_CUDA_LIBRARY: library, IPA_BINARY: nowhere });
  test.match(noAddon, { status: 1, stdout: /^CUDA {4}not used: the native addon does not load/m });
});

t.test('generate refuses devices and precisions that there are not', async (test) => {
  const flags = ['generate', '--prompt', 'a'];
  for (const [given, text] of [
    [['--device', 'cudda'], 'Did you mean "cuda"?'],
    [['--dtype', 'fp16'], 'Allowed choices are auto, f32, f16, bf16.'],
  ] as const)
    test.match(run([...flags, ...given], {}), { status: 2, stderr: text });
  test.match(run(flags, { IPA_DEVICE: 'gpu:0' }), { status: 2, stderr: 'There is no IPA_DEVICE "gpu:0"' });
  test.match(run([...flags, '--device', 'cpu', '--dtype', 'f16'], {}), { status: 1, stderr: 'DEVICE_UNSUPPORTED' });
  test.match(run([...flags, '--device', 'cuda:5'], { IPA_CUDA_LIBRARY: library }), {
    status: 1,
    stderr: /DEVICE_NONE: There is no card cuda:5; the driver finds cuda:0, cuda:1/,
  });
});

t.test('build --cuda without nvcc says what to install', async (test) => {
  const bin = mkdtempSync(join(tmpdir(), 'ipa-no-nvcc-'));
  test.teardown(() => rmSync(bin, { recursive: true, force: true }));
  const built = run(['build', '--cuda'], { PATH: bin, CUDA_HOME: join(bin, 'toolkit') });
  test.equal(built.status, 1);
  test.match(built.stderr, `nvcc not found on this machine (looked for nvcc, ${join(bin, 'toolkit', 'bin', 'nvcc')})`);
  test.match(built.stderr, 'BINARY_NOT_FOUND: The CUDA library could not be built');
  for (const mend of ['CUDA toolkit 13.0', 'npm i @node-ip-adapter/cuda-linux-x64']) test.match(built.stderr, mend);
});
