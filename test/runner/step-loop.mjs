// The step loop in f64, as lib/schedulers/row.ts describes it. A term with coefficient 0 is not read.

/**
 * @typedef {import('../../lib/schedulers/row.js').Schedule} Schedule
 * @typedef {object} Trace
 * @property {number[][]} trajectory  latents after each row
 * @property {number[][]} inputs      what the network was given at each row
 * @property {number} draws
 */

/**
 * @param {Schedule} schedule
 * @param {readonly number[]} start
 * @param {(input: number[], timestep: number, call: number) => number[]} network
 * @param {(index: number) => readonly number[]} draw
 * @returns {Trace}
 */
export const run = (schedule, start, network, draw) => {
  let x = [...start];
  /** @type {number[] | undefined} */
  let saved;
  /** @type {number[][]} */
  let kept = [];
  /** @type {Trace} */
  const trace = { trajectory: [], inputs: [], draws: 0 };
  /** @type {(sum: number[], coefficient: number, term: readonly number[] | undefined) => void} */
  const add = (sum, coefficient, term) => {
    if (coefficient === 0) return;
    if (!term) throw new Error('a row reads what was never kept');
    for (let i = 0; i < sum.length; ++i) sum[i] += coefficient * (term[i] ?? Number.NaN);
  };
  for (const [call, row] of schedule.rows.entries()) {
    const input = x.map((value) => row.inputScale * value);
    const output = network(input, row.timestep, call);
    const keep = x.map((value, i) => row.keepX * value + row.keepOut * (output[i] ?? Number.NaN));
    kept = [keep, ...(row.store === 'push' ? kept : kept.slice(1))].slice(0, 4);
    for (const u of row.updates) {
      const next = new Array(x.length).fill(0);
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
