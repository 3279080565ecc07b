// The same rows by this machine's build of the bench and by another: that of the cross compiler, or any program that was
// built of these sources or earlier ones.
import { existsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onRequest, pairsOf, printed } from './pairs.mjs';

const ROWS = [
  'conv3x3 64x64x320x320',
  'conv3x3 32x32x640x640',
  'conv3x3 16x16x1280x1280',
  'conv3x3 512x512x64x64',
  'matmul 4096x320x320',
  'matmul 1024x640x640',
  'matmul 1024x2560x640',
  'matmul 256x1280x10240 geglu',
  'attention 8x4096x4096x40',
  'attention 8x1024x1024x80',
  'attention 8x4096x77x40',
  'forward sd15 512 batch 1',
];
const WARM_UP = 2; // turns that do not count: a program's first touches its memory

/** The other program: `cross`, built if need be, or a file. */
async function otherProgram(word) {
  if (word !== 'cross') return path.resolve(word);
  const [{ crossBuild }, { machine }] = await Promise.all([
    import('../scripts/cross/build.mjs'),
    import('../scripts/cross/machines.mjs'),
  ]);
  return path.join(crossBuild(machine('linux-x64'), ['ipa_bench']), 'ipa_bench');
}

/** Prints one line per row; returns the exit status. */
export async function comparePrograms(program, given) {
  const options = {
    threads: Number(given.threads ?? os.availableParallelism()),
    repetitions: Number(given.repetitions ?? 15),
    level: given.level,
  };
  const rows = [];
  try {
    const other = await otherProgram(given.against);
    if (!existsSync(other))
      throw new Error(`The bench compares with onnxruntime, cross or a program; ${other} is none.`);
    console.log(`${given.against} over this build, seconds of equal threads: median [quartiles] of interleaved pairs`);
    const parts = given.only?.split(',') ?? [''];
    for (const name of ROWS.filter((row) => parts.some((part) => row.includes(part)))) {
      const two = [program, other].map((file) =>
        onRequest(file, name, { ...options, repetitions: options.repetitions + WARM_UP }),
      );
      try {
        for (let i = 0; i < WARM_UP; ++i) for (const { next } of two) await next();
        rows.push(printed(name, await pairsOf(name, options.repetitions, two[0].next, two[1].next)));
      } finally {
        for (const { end } of two) end();
      }
    }
  } catch (error) {
    console.error(error.message);
    return 1;
  }
  if (given.json) {
    const { threads, level } = options;
    writeFileSync(given.json, `${JSON.stringify({ machine: os.cpus()[0]?.model, threads, level, rows }, null, 1)}\n`);
  }
  return 0;
}
