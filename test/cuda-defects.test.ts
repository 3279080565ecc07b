// Defects planted in the CUDA kernels, one at a time, must be noticed by the kernels' tests on the emulator; the kernels
// as they are must pass, under the sanitizers too. Every edit goes into a copy of native/cuda/kernels.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ATTENTION } from './cuda-defects/attention.js';
import { PRODUCTS } from './cuda-defects/products.js';
import { SMALL } from './cuda-defects/small.js';

const DEFECTS = [...PRODUCTS, ...ATTENTION, ...SMALL];

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'ipa-defects-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const compiler = process.env.CXX ?? 'c++';
const FLAGS = ['-std=c++20', '-Wall', '-Wextra', '-pthread'];
const OPTIMISE = ['-O1']; // of what is compiled once; each defect is compiled faster without, and runs briefly
const INCLUDES = [`-I${root}native`, `-I${root}test/native/cuda`];
const SANITIZE = [...OPTIMISE, '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-g1'];

interface Ended {
  readonly passed: boolean;
  readonly output: string;
}
const LIMIT = 300_000; // ms; the slowest, all cases with the sanitizers, takes half a minute on a machine that is free

/** Runs a program. */
const run = (program: string, args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: LIMIT, maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
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
    ...['dtype', 'error', 'system', 'threads'].map((name) => `native/core/${name}.cpp`),
    'native/cuda/packing.cpp',
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
  const includes = [`-I${folder}`, ...INCLUDES];
  const program = join(folder, 'defects');
  const source = join(root, 'test/native/cuda/defects.cpp');
  const built = await run(compiler, [...FLAGS, ...flags, ...includes, source, ...objects, '-o', program]);
  if (!built.passed) return { ...built, built: false };
  return { ...(await run(program, [])), built: true };
};

/** The flags that include what every case includes, compiled beforehand: half of what compiling takes. */
const headers = async (): Promise<readonly string[]> => {
  const file = join(scratch, 'defects_headers.h');
  cpSync(join(root, 'test/native/cuda/defects_headers.h'), file);
  const built = await run(compiler, [...FLAGS, ...INCLUDES, '-x', 'c++-header', file, '-o', `${file}.gch`]);
  if (!built.passed) throw new Error(built.output);
  return ['-include', file];
};

/** A folder that the include path finds first, with a copy of the kernels. */
const copied = (name: string): string => {
  const folder = join(scratch, name);
  cpSync(join(root, 'native/cuda/kernels'), join(folder, 'cuda/kernels'), { recursive: true });
  return folder;
};

t.test('the kernels as they are pass, and every planted defect is noticed', async (test) => {
  const objects = await machine('plain', OPTIMISE);
  const known = await headers();
  const whole = await verdict(copied('unedited'), objects, known);
  test.ok(whole.passed, `unedited kernels pass ${whole.output}`);
  await twoAtATime([...DEFECTS.keys()], async (i) => {
    const { name, file, before, after, cases } = DEFECTS[i]!;
    const folder = copied(`defect-${i}`);
    const path = join(folder, 'cuda/kernels', file);
    const parts = readFileSync(path, 'utf8').split(before);
    const what = `${file}: ${name}`;
    if (parts.length !== 2) return void test.fail(`${what}: its text is there ${parts.length - 1} times`);
    writeFileSync(path, parts.join(after));
    const { built, passed, output } = await verdict(folder, objects, [...known, '-DIPA_ONLY', `-DIPA_ONLY_${cases}=1`]);
    if (!built) return void test.fail(`${what} does not compile: ${output}`);
    test.notOk(passed, `${what} is noticed`);
    test.comment(`${what}: ${output.split('\n')[0]}`);
  });
});

t.test('the kernels pass under the address and undefined sanitizers', async (test) => {
  const whole = await verdict(copied('sanitized'), await machine('sanitizers', SANITIZE), SANITIZE);
  test.ok(whole.passed, whole.output);
});
