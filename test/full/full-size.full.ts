// Pipelines of true size: what memory they take, and the same bytes on one thread and on two.
import { availableParallelism, totalmem } from 'node:os';
import t from 'tap';
import { child } from '../lib/sketch.js';

interface Result {
  readonly planned: number;
  readonly peak: number;
  readonly digest: string;
  readonly level: string;
  readonly dtype: string;
  readonly seconds: number;
}

const GB = 1e9;
const OWN = 0.3 * GB; // of the process itself
const MOST = 16 * GB;

const drawn = async (family: string, threads: number): Promise<Result> => {
  const { code, out, err } = await child(`../full/full-size.child.ts`, family, String(threads));
  if (code !== 0) throw new Error(`${family} ended with ${code}: ${err}`);
  return JSON.parse(out) as Result;
};

for (const [family, what] of [
  ['sd15', 'SD1.5 at 512 × 512 with ten references'],
  ['sdxl', 'SDXL at 1024 × 1024 with FaceID Plus v2 and two masked adapters'],
] as const)
  t.test(what, { timeout: 3_600_000, skip: totalmem() < MOST && 'this machine has less than 16 GB' }, async (test) => {
    const results = [];
    for (const threads of availableParallelism() > 1 ? [2, 1] : [1]) results.push(await drawn(family, threads));
    for (const { planned, peak, level, dtype, seconds } of results) {
      const figures = `${(peak / GB).toFixed(2)} GB at most, ${(planned / GB).toFixed(2)} GB planned`;
      test.comment(`measured: ${what}, ${figures}, ${seconds.toFixed(0)} s, ${dtype} on ${level}`);
      test.ok(peak <= 1.05 * planned + OWN && peak <= MOST, figures);
    }
    test.equal(results.at(-1)!.digest, results[0]!.digest, 'the number of threads changes nothing');
  });
