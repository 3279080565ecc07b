// The same shapes, and a whole forward, here and in ONNX Runtime, one repetition of each in turn, as ratios.
// onnxruntime-node is no dependency of the project: it is used where somebody has installed it.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { obstacle, relativeError, withForward } from './onnx-forward.mjs';
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
const FORWARD = 'forward sd15 512 batch 1';

// Its first runs of a whole network take a third longer, while its memory grows.
const WARM_UP = 3;
// Between turns, in ms: nobody's threads shall be awake in the other's turn.
const REST = 20;

const quantile = (values, part) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
};

const sessionOf = (ort, graph, threads) =>
  ort.InferenceSession.create(graph, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } }, // or its threads run on into our turn, for over 20 ms
  });

/** Seconds of the bench's row `name` and of `theirs`, in pairs, one of each in turn. */
async function pairsOf(program, name, { threads, repetitions, level }, theirs) {
  const options = { only: name, 'on-request': 1, threads, repetitions, ...(level && { level }) };
  const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const pairs = [];
  try {
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (let i = 0; i < repetitions; ++i) {
      await pause(REST);
      child.stdin.write('\n');
      const { value: line, done } = await answers.next();
      if (done) break;
      const { repetition } = JSON.parse(line);
      await pause(REST);
      const started = performance.now();
      await theirs();
      pairs.push([repetition, (performance.now() - started) / 1000]);
    }
  } finally {
    child.stdin.end();
    child.kill();
  }
  if (pairs.length === 0) throw new Error(`ipa_bench has no row "${name}"`);
  return pairs;
}

const printed = (name, pairs, error) => {
  const [low, ratio, high] = [0.25, 0.5, 0.75].map((part) =>
    quantile(
      pairs.map(([ours, theirs]) => theirs / ours),
      part,
    ).toFixed(2),
  );
  const [ours, theirs] = [0, 1].map(
    (who) =>
      1000 *
      quantile(
        pairs.map((pair) => pair[who]),
        0.5,
      ),
  );
  const agreement = error === undefined ? '' : `, results differ by ${error.toExponential(1)}`;
  console.log(
    `${name.padEnd(28)}${ratio}x  [${low}, ${high}]  ${pairs.length} pairs, ${ours.toFixed(2)} and ${theirs.toFixed(2)} ms${agreement}`,
  );
  const quartiles = [Number(low), Number(high)];
  return { name, ratio: Number(ratio), quartiles, pairs: pairs.length, ours, theirs, ...(error && { error }) };
};

async function shapeRow(ort, program, options, name, { graph, inputs }) {
  const session = await sessionOf(ort, graph, options.threads);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([input, dims]) => [input, new ort.Tensor('float32', values(dims), dims)]),
  );
  await session.run(feeds);
  const pairs = await pairsOf(program, name, options, () => session.run(feeds));
  await session.release();
  return printed(name, pairs);
}

const forwardRow = (ort, program, options) =>
  withForward(program, options, async ({ graph, inputs, outputs }) => {
    const session = await sessionOf(ort, graph, options.threads);
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([input, { data, dims }]) => [input, new ort.Tensor('float32', data, dims)]),
    );
    for (let i = 1; i < WARM_UP; ++i) await session.run(feeds);
    const { eps } = await session.run(feeds);
    const error = relativeError(eps.data, outputs.eps.data);
    const pairs = await pairsOf(program, FORWARD, options, () => session.run(feeds));
    await session.release();
    return printed(FORWARD, pairs, error);
  });

/** Prints one line per shape and one of the forward; returns the exit status. */
export async function compare(program, given) {
  let ort;
  try {
    ort = await import('onnxruntime-node');
  } catch {
    console.error('onnxruntime-node is not installed. npm install --no-save onnxruntime-node, then run this again.');
    return 1;
  }
  const options = {
    threads: Number(given.threads ?? os.availableParallelism()),
    repetitions: Number(given.repetitions ?? 15),
    level: given.level,
  };
  const wanted = (name) => name.includes(given.only ?? '');
  const rows = [];
  console.log('ONNX Runtime in f32 over node-ip-adapter, equal threads: median [quartiles] of interleaved pairs');
  try {
    for (const [name, make] of SHAPES) if (wanted(name)) rows.push(await shapeRow(ort, program, options, name, make()));
    const reason = wanted(FORWARD) ? obstacle() : undefined;
    if (reason) console.log(`${FORWARD.padEnd(28)}skipped: ${reason}`);
    else if (wanted(FORWARD)) rows.push(await forwardRow(ort, program, options));
  } catch (error) {
    console.error(error.message);
    return 1;
  }
  if (given.json) {
    const { threads } = options;
    writeFileSync(given.json, `${JSON.stringify({ machine: os.cpus()[0]?.model, threads, rows }, null, 1)}\n`);
  }
  return 0;
}
