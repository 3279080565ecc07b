// The whole SD1.5 forward for ONNX Runtime: ipa_bench writes it as a graph (tools/to_onnx) into a temporary folder.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const DISK = 3.5e9; // its weights in f32
const MEMORY = 8e9; // both programs at their peak: 5.2 GB there, 1.9 GB here, where weights stay in 16 bits

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

/** Why it cannot be run here, or undefined. */
export const obstacle = () => {
  const disk = statfsSync(os.tmpdir());
  const free = disk.bavail * disk.bsize;
  const memory = process.availableMemory?.() ?? os.freemem();
  if (free < DISK) return `its weights take ${gigabytes(DISK)} in ${os.tmpdir()}, ${gigabytes(free)} are free`;
  if (memory < MEMORY) return `it takes ${gigabytes(MEMORY)} of memory, ${gigabytes(memory)} are free`;
  return undefined;
};

/**
 * Calls `use` with the graph's file, its inputs and what ours made of them, as { name: { dims, data } }. The folder is
 * removed whatever becomes of it, also when the process is told to end.
 */
export async function withForward(program, options, use) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ipa-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const leave = () => process.exit(1); // runs `remove`
  process.on('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, leave);
  try {
    const args = ['level', 'threads'].flatMap((name) =>
      options[name] === undefined ? [] : [`--${name}`, options[name]],
    );
    const written = spawnSync(program, ['--to-onnx', folder, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (written.status !== 0) throw new Error('ipa_bench did not write its graph');
    const bytes = readFileSync(path.join(folder, 'values.bin'));
    const ports = JSON.parse(readFileSync(path.join(folder, 'ports.json'), 'utf8'));
    const numbers = ({ name, dims, offset }) => {
      const from = bytes.byteOffset + offset;
      const count = dims.reduce((a, b) => a * b, 1);
      return [name, { dims, data: new Float32Array(bytes.buffer.slice(from, from + 4 * count)) }];
    };
    const [inputs, outputs] = [ports.inputs, ports.outputs].map((list) => Object.fromEntries(list.map(numbers)));
    return await use({ graph: path.join(folder, 'graph.onnx'), inputs, outputs });
  } finally {
    remove();
    process.off('exit', remove);
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, leave);
  }
}

/** ||got - want|| / ||want|| */
export const relativeError = (got, want) => {
  let difference = 0;
  let size = 0;
  for (const [i, value] of want.entries()) {
    difference += (got[i] - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
};
