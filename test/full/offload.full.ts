// SDXL at 1024 × 1024 whose networks leave after their stage: the measured peak falls by what the plan says, same bytes.
import { totalmem } from 'node:os';
import t from 'tap';
import type { MemoryNeed } from '../../lib/index.js';
import { child } from '../lib/sketch.js';

interface Result {
  readonly need: MemoryNeed;
  readonly peak: number;
  readonly digest: string;
  readonly totalMs: number;
}

const GB = 1e9;
const MOST = 12 * GB;

const drawn = async (offload: string): Promise<Result> => {
  const { code, out, err } = await child('../full/offload.child.ts', offload);
  if (code !== 0) throw new Error(`${offload} ended with ${code}: ${err}`);
  return JSON.parse(out) as Result;
};

const skip = totalmem() < MOST && 'this machine has less than 12 GB';
t.test('memory.offload', { timeout: 3_600_000, skip }, async (test) => {
  const stay = await drawn('never');
  const leave = await drawn('always');
  test.equal(leave.digest, stay.digest, 'the same bytes');
  const { weights, run, offloaded } = stay.need;
  const [planned, measured] = [weights + run - offloaded, stay.peak - leave.peak];
  for (const [name, { peak, totalMs }] of Object.entries({ never: stay, always: leave }))
    test.comment(`measured: ${name}, ${(peak / GB).toFixed(2)} GB at most, ${(totalMs / 1000).toFixed(0)} s`);
  test.comment(`measured: lower by ${(measured / GB).toFixed(2)} GB, planned ${(planned / GB).toFixed(2)} GB`);
  // 5 %: heap of the process, and what the host holds of encodings and pixels
  test.ok(Math.abs(measured - planned) <= 0.05 * planned);
});
