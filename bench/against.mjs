// The same shapes here and in ONNX Runtime, one repetition of each in turn, as ratios. onnxruntime-node is no dependency
// of the project: it is used where somebody has installed it.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { attention, conv, matmul, values } from './onnx-graph.mjs';

const SHAPES = [
  ['conv3x3 64x64x320x320', () => conv(64, 320, 320)],
  ['conv3x3 32x32x640x640', () => conv(32, 640, 640)],
  ['conv3x3 16x16x1280x1280', () => conv(16, 1280, 1280)],
  ['matmul 4096x320x320', () => matmul(4096, 320, 320)],
  ['matmul 1024x640x640', () => matmul(1024, 640, 640)],
  ['matmul 256x1280x1280', () => matmul(256, 1280, 1280)],
  ['matmul 1024x2560x640', () => matmul(1024, 2560, 640)],
  ['attention 8x4096x4096x40', () => attention(8, 4096, 4096, 40)],
  ['attention 8x1024x1024x80', () => attention(8, 1024, 1024, 80)],
];

// Between turns, in ms: nobody's threads shall be awake in the other's turn.
const REST = 20;

const median = (values) =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** Prints one line per shape; returns the exit status. */
export async function compare(program, options) {
  let ort;
  try {
    ort = await import('onnxruntime-node');
  } catch {
    console.error('onnxruntime-node is not installed. npm install --no-save onnxruntime-node, then run this again.');
    return 1;
  }
  const threads = Number(options.threads ?? os.availableParallelism());
  const repetitions = Number(options.repetitions ?? 15);
  const rows = [];
  console.log('ONNX Runtime over node-ip-adapter, f32, equal threads: median [quartiles] of interleaved pairs');
  for (const [name, make] of SHAPES) {
    if (!name.includes(options.only ?? '')) continue;
    const { graph, inputs } = make();
    const session = await ort.InferenceSession.create(graph, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      extra: { session: { intra_op: { allow_spinning: '0' } } }, // or its threads run on into our turn, for over 20 ms
    });
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([input, dims]) => [input, new ort.Tensor('float32', values(dims), dims)]),
    );
    await session.run(feeds);
    const level = options.level === undefined ? [] : ['--level', options.level];
    const child = spawn(
      program,
      [
        '--only',
        name,
        '--on-request',
        '1',
        '--threads',
        String(threads),
        '--repetitions',
        String(repetitions),
        ...level,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ratios = [];
    const seconds = [];
    for (let i = 0; i < repetitions; ++i) {
      await pause(REST);
      child.stdin.write('\n');
      const { value: line, done } = await answers.next();
      if (done) break;
      const { repetition } = JSON.parse(line);
      await pause(REST);
      const started = performance.now();
      await session.run(feeds);
      const took = (performance.now() - started) / 1000;
      ratios.push(took / repetition);
      seconds.push([repetition, took]);
    }
    child.stdin.end();
    child.kill();
    if (ratios.length === 0) return 1;
    ratios.sort((a, b) => a - b);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(2));
    const [ours, theirs] = [0, 1].map((who) => median(seconds.map((pair) => pair[who])) * 1000);
    console.log(
      `${name.padEnd(28)}${middle}x  [${low}, ${high}]  ${ratios.length} pairs, ${ours.toFixed(2)} and ${theirs.toFixed(2)} ms`,
    );
    rows.push({
      name,
      ratio: Number(middle),
      quartiles: [Number(low), Number(high)],
      pairs: ratios.length,
      ours,
      theirs,
    });
  }
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ machine: os.cpus()[0]?.model, threads, rows }, null, 1)}\n`);
  return 0;
}
