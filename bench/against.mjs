// The same shapes, and a whole forward, here and in ONNX Runtime, one repetition of each in turn, as ratios.
// onnxruntime-node is no dependency of the project: it is used where somebody has installed it.
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { obstacle, relativeError, withForward } from './onnx-forward.mjs';
import { attention, conv, matmul, values } from './onnx-graph.mjs';
import { onRequest, pairsOf, printed } from './pairs.mjs';

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

const sessionOf = (ort, graph, threads) =>
  ort.InferenceSession.create(graph, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } }, // or its threads run on into our turn, for over 20 ms
  });

/** Seconds of the bench's row and of the session, which is released. */
async function pairsAgainst(session, feeds, program, name, options) {
  const ours = onRequest(program, name, options);
  const theirs = async () => {
    const started = performance.now();
    await session.run(feeds);
    return (performance.now() - started) / 1000;
  };
  try {
    return await pairsOf(name, options.repetitions, ours.next, theirs);
  } finally {
    ours.end();
    await session.release();
  }
}

async function shapeRow(ort, program, options, name, { graph, inputs }) {
  const session = await sessionOf(ort, graph, options.threads);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([input, dims]) => [input, new ort.Tensor('float32', values(dims), dims)]),
  );
  await session.run(feeds);
  const pairs = await pairsAgainst(session, feeds, program, name, options);
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
    const pairs = await pairsAgainst(session, feeds, program, FORWARD, options);
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
