// The same shapes here and in ONNX Runtime, one repetition of each in turn, as ratios. onnxruntime-node is no dependency
// of the project: it is used where somebody has installed it.
import { spawn } from 'node:child_process';
import os from 'node:os';
import { createInterface } from 'node:readline';
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
  console.log('ONNX Runtime over node-ip-adapter, f32, equal threads: median [quartiles] of interleaved pairs');
  for (const [name, make] of SHAPES) {
    if (!name.includes(options.only ?? '')) continue;
    const { graph, inputs } = make();
    const session = await ort.InferenceSession.create(graph, { intraOpNumThreads: threads, interOpNumThreads: 1 });
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([input, dims]) => [input, new ort.Tensor('float32', values(dims), dims)]),
    );
    await session.run(feeds);
    const level = options.level === undefined ? [] : ['--level', options.level];
    const ours = spawn(
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
    const answers = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
    const ratios = [];
    for (let i = 0; i < repetitions; ++i) {
      ours.stdin.write('\n');
      const { value: line, done } = await answers.next();
      if (done) break;
      const { repetition } = JSON.parse(line);
      const started = performance.now();
      await session.run(feeds);
      ratios.push((performance.now() - started) / 1000 / repetition);
    }
    ours.stdin.end();
    ours.kill();
    if (ratios.length === 0) return 1;
    ratios.sort((a, b) => a - b);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(2));
    console.log(`${name.padEnd(28)}${middle}x  [${low}, ${high}]  ${ratios.length} pairs`);
  }
  return 0;
}
