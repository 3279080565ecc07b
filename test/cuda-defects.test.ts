// Defects planted in the CUDA kernels, one at a time, must be noticed by the kernels' tests on the emulator; the kernels
// as they are must pass, under the sanitizers too. Every edit goes into a copy of native/cuda/kernels.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const PRODUCT = 'product.h';
const LAYER_NORM = 'layer_norm.h';

interface Defect {
  readonly name: string;
  readonly file: string;
  /** Must be there exactly once. */
  readonly before: string;
  readonly after: string;
}
const defect = (file: string, name: string, before: string, after: string): Defect => ({ file, name, before, after });

const DEFECTS: readonly Defect[] = [
  defect(PRODUCT, 'no wait', 'copy_wait<Tile::kStages - 2>();', ''),
  defect(PRODUCT, 'waits one group too late', 'copy_wait<Tile::kStages - 2>', 'copy_wait<Tile::kStages - 1>'),
  defect(PRODUCT, 'no barrier', 'block_barrier();', ''),
  defect(
    PRODUCT,
    'barrier before the wait',
    'copy_wait<Tile::kStages - 2>();',
    'block_barrier(); copy_wait<Tile::kStages - 2>(); if (false)',
  ),
  defect(PRODUCT, 'barrier for part of the block', 'block_barrier();', 'if (warp > 0) block_barrier();'),
  defect(PRODUCT, 'barrier for half a warp', 'block_barrier();', 'if (lane < 16) block_barrier();'),
  defect(PRODUCT, 'swizzle puts two chunks in one place', '(row >> 1 & 3)', '(row & 3) * (chunk & 1)'),
  defect(
    PRODUCT,
    'A is read unswizzled',
    'a_stage + place(row, half * 2 + lane / 16)',
    'a_stage + row * 32 + (half * 2 + lane / 16) * 8',
  ),
  defect(PRODUCT, 'wrong phase of W', 'w_stages + step % Tile::kStages', 'w_stages + (step + 1) % Tile::kStages'),
  defect(
    PRODUCT,
    'copies into a live stage',
    'const int stage = step % Tile::kStages;',
    'const int stage = step % (Tile::kStages - 1);',
  ),
  defect(
    PRODUCT,
    'no commit in the loop',
    'if (ahead < steps) load(ahead);\n    copy_commit();',
    'if (ahead < steps) load(ahead);',
  ),
  defect(
    PRODUCT,
    'empty groups are not committed',
    'if (ahead < steps) load(ahead);\n    copy_commit();',
    'if (ahead < steps) {\n      load(ahead);\n      copy_commit();\n    }',
  ),
  defect(PRODUCT, 'no guard of rows on load', 'first_row + row < rows && ', ''),
  defect(PRODUCT, 'no guard of K on load', ' && first_k + chunk * kChunk < k', ''),
  defect(PRODUCT, 'no guard of rows on store', 'row >= arguments.m || ', ''),
  defect(PRODUCT, 'no guard of columns on store', ' || column >= arguments.n', ''),
  defect(PRODUCT, 'lanes of W swapped', 'lane / 8 % 2', 'lane / 16'),
  defect(PRODUCT, 'lanes of A swapped', 'i * 16 + lane % 16', 'i * 16 + lane / 2'),
  defect(PRODUCT, 'W is read transposed', 'load_matrix_x4(w_parts', 'load_transposed_x4(w_parts'),
  defect(PRODUCT, 'half of the bytes', 'inside ? 16 : 0', 'inside ? 8 : 0'),
  defect(PRODUCT, 'bytes where nothing is', 'inside ? 16 : 0', '16'),
  defect(PRODUCT, 'misaligned rows', 'w_stage + place', 'w_stage + 4 + place'),
  defect(PRODUCT, 'stages overlap', 'a_stages + Tile::kStages * Tile::kM * Tile::kK', 'a_stages + Tile::kM * Tile::kK'),
  defect(PRODUCT, 'too little shared memory', 'kStages * (kM + kN) * kK * 2', '(kStages - 1) * (kM + kN) * kK * 2'),
  defect(PRODUCT, 'last step left out', '(k + Tile::kK - 1) / Tile::kK', 'k / Tile::kK'),
  defect(
    PRODUCT,
    'upper rows of a fragment twice',
    'row + 8, column, sums[i][j][2], sums[i][j][3]',
    'row + 8, column, sums[i][j][0], sums[i][j][1]',
  ),
  defect(PRODUCT, 'bias of the neighbour', 'bias[column + 1]', 'bias[column]'),
  defect(PRODUCT, 'pairs where columns are odd', 'arguments.n % 2 == 0', 'arguments.n > 0'),
  defect(PRODUCT, 'axes of the grid swapped', 'block_index().y', 'block_index().x'),
  defect(LAYER_NORM, 'a step of the sum is missing', 'mask /= 2', 'mask /= 4'),
  defect(LAYER_NORM, 'no guard of rows', 'if (row >= arguments.rows) return;', ''),
  defect(
    LAYER_NORM,
    'part of a warp leaves',
    'if (row >= arguments.rows) return;',
    'if (row >= arguments.rows || lane >= columns) return;',
  ),
  defect(LAYER_NORM, 'no guard of columns on load', 'column < columns ? x[column] : 0.0f', 'x[column]'),
  defect(
    LAYER_NORM,
    'padding counts as variance',
    'i * 32 + lane < columns ? values[i] - mean : 0.0f',
    'values[i] - mean',
  ),
  defect(LAYER_NORM, 'no guard of columns on store', 'if (column < columns)\n', ''),
  defect(LAYER_NORM, 'no epsilon', ' + arguments.epsilon', ''),
  defect(LAYER_NORM, 'lanes add different numbers', 'shuffle_xor(value, mask)', 'shuffle_down(value, mask)'),
];

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'ipa-defects-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const compiler = process.env.CXX ?? 'c++';
const FLAGS = ['-std=c++20', '-O1', '-Wall', '-Wextra'];
const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-g1'];

interface Ended {
  readonly passed: boolean;
  readonly output: string;
}
/** Runs a program for at most a minute. */
const run = (program: string, args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
      resolve({ passed: error === null, output: `${stdout}${stderr}` }),
    );
  });

/** Calls `work` for all of `items`, two at a time. */
const twoAtATime = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      next += 1;
      await work(items[next - 1]!);
    }
  };
  await Promise.all([worker(), worker()]);
};

/** What does not change with a kernel, as object files. */
const machine = async (folder: string, flags: readonly string[]): Promise<readonly string[]> => {
  mkdirSync(join(scratch, folder));
  const emulator = readdirSync(join(root, 'native/cuda/emulator')).filter((name) => name.endsWith('.cpp'));
  const sources = [
    ...emulator.map((name) => `native/cuda/emulator/${name}`),
    ...['dtype', 'error', 'threads'].map((name) => `native/core/${name}.cpp`),
  ];
  const objects = sources.map((source) => join(scratch, folder, `${basename(source)}.o`));
  await twoAtATime([...sources.keys()], async (i) => {
    const built = await run(compiler, [
      ...FLAGS,
      ...flags,
      `-I${root}native`,
      '-c',
      join(root, sources[i]!),
      '-o',
      objects[i]!,
    ]);
    if (!built.passed) throw new Error(built.output);
  });
  return objects;
};

/** Builds the cases over the kernels in `folder` and runs them. */
const verdict = async (
  folder: string,
  objects: readonly string[],
  flags: readonly string[],
): Promise<Ended & { built: boolean }> => {
  const includes = [`-I${folder}`, `-I${root}native`, `-I${root}test/native/cuda`];
  const program = join(folder, 'defects');
  const source = join(root, 'test/native/cuda/defects.cpp');
  const built = await run(compiler, [...FLAGS, ...flags, ...includes, source, ...objects, '-pthread', '-o', program]);
  if (!built.passed) return { ...built, built: false };
  return { ...(await run(program, [])), built: true };
};

/** A folder that the include path finds first, with a copy of the kernels. */
const copied = (name: string): string => {
  const folder = join(scratch, name);
  cpSync(join(root, 'native/cuda/kernels'), join(folder, 'cuda/kernels'), { recursive: true });
  return folder;
};

t.test('the kernels as they are pass, and every planted defect is noticed', async (test) => {
  const objects = await machine('plain', []);
  const whole = await verdict(copied('unedited'), objects, []);
  test.ok(whole.passed, `unedited kernels pass ${whole.output}`);
  await twoAtATime([...DEFECTS.keys()], async (i) => {
    const { name, file, before, after } = DEFECTS[i]!;
    const folder = copied(`defect-${i}`);
    const path = join(folder, 'cuda/kernels', file);
    const parts = readFileSync(path, 'utf8').split(before);
    const what = `${file}: ${name}`;
    if (parts.length !== 2) return void test.fail(`${what}: its text is there ${parts.length - 1} times`);
    writeFileSync(path, parts.join(after));
    // Only the edited kernel is compiled, since compiling is what takes the time.
    const { built, passed, output } = await verdict(folder, objects, [
      `-DIPA_ONLY_${file === PRODUCT ? 'PRODUCT' : 'LAYER_NORM'}`,
    ]);
    if (!built) return void test.fail(`${what} does not compile: ${output}`);
    test.notOk(passed, `${what} is noticed`);
    test.comment(`${what}: ${output.split('\n')[0]}`);
  });
});

t.test('the kernels pass under the address and undefined sanitizers', async (test) => {
  const whole = await verdict(copied('sanitized'), await machine('sanitizers', SANITIZE), SANITIZE);
  test.ok(whole.passed, whole.output);
});
