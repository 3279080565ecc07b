import type { Schedule } from '../../../lib/schedulers/row.js';

export interface Trace {
  /** Latents after each row. */
  readonly trajectory: number[][];
  /** What the network was given at each row. */
  readonly inputs: number[][];
  readonly draws: number;
}

/** The step loop in f64, as lib/schedulers/row.ts describes it. A term with coefficient 0 is not read. */
export const run = (
  schedule: Schedule,
  start: readonly number[],
  network: (input: number[], timestep: number, call: number) => number[],
  draw: (index: number) => readonly number[],
): Trace => {
  let x = [...start];
  let saved: number[] | undefined;
  let kept: number[][] = [];
  const trace = { trajectory: [] as number[][], inputs: [] as number[][], draws: 0 };
  const add = (sum: number[], coefficient: number, term: readonly number[] | undefined): void => {
    if (coefficient === 0) return;
    if (!term) throw new Error('a row reads what was never kept');
    for (let i = 0; i < sum.length; ++i) sum[i]! += coefficient * term[i]!;
  };
  for (const [call, row] of schedule.rows.entries()) {
    const input = x.map((value) => row.inputScale * value);
    const output = network(input, row.timestep, call);
    const keep = x.map((value, i) => row.keepX * value + row.keepOut * output[i]!);
    kept = [keep, ...(row.store === 'push' ? kept : kept.slice(1))].slice(0, 4);
    for (const u of row.updates) {
      const next = new Array<number>(x.length).fill(0);
      add(next, u.x, x);
      add(next, u.saved, saved);
      for (const [k, coefficient] of u.outputs.entries()) add(next, coefficient, kept[k]);
      if (u.draws) add(next, u.noise, draw(trace.draws++));
      if (u.saveX) saved = x;
      x = next;
    }
    trace.inputs.push(input);
    trace.trajectory.push(x);
  }
  return trace;
};
