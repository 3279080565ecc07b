// What the options of a reference come to: where in the network it acts, and when.
import { layersOf } from '../../dist/adapters/weight-types.js';
import { windowOf } from '../../dist/adapters/window.js';
import { publicConfigs, schedule, sigmaAt } from '../../dist/schedulers/index.js';

/** @typedef {import('./cases.mjs').Case} Case @typedef {import('./verdict.mjs').Verdict} Verdict */

/** @param {Case} c @param {Verdict} verdict */
const checkWindows = (c, verdict) => {
  const config = publicConfigs.sd15;
  for (const { steps, start, end, karras, sigmas, ...want } of c.table.cases) {
    const what = `${steps} steps${karras ? ', karras' : ''}, ${start} to ${end}`;
    const plan = schedule('euler', config, steps, { spacing: 'leading', ...(karras ? { schedule: 'karras' } : {}) });
    verdict.close(`${what}: sigmas`, plan.sigmas.slice(0, -1), sigmas, 2e-5 * sigmas[0]);
    verdict.close(`${what}: by step`, windowOf(plan, config, { start, end }), want.fraction_rule, 0);
    verdict.close(`${what}: by sigma`, windowOf(plan, config, { start, end, windowMode: 'sigma' }), want.sigma_rule, 0);
    for (const [fraction, sigma] of [
      [start, want.sigma_start],
      [end, want.sigma_end],
    ])
      verdict.close(`${what}: sigma at ${fraction}`, [sigmaAt(config, fraction)], [sigma], 1e-5 * sigma);
  }
};

/** Transformers of a base by the part of the network that they are in. */
const PARTS = {
  sd15: [...Array(6).fill('down'), 'mid', ...Array(9).fill('up')],
  sdxl: [...Array(4).fill('down'), 'mid', ...Array(6).fill('up')],
};

/** @param {Case} c @param {Verdict} verdict */
const checkWeightTypes = (c, verdict) => {
  for (const row of c.table.cases) {
    const { base, type, weight: scale } = row;
    const boost = row.style_boost ?? row.composition_boost ?? scale;
    const parts = PARTS[/** @type {keyof typeof PARTS} */ (base)];
    const layers = layersOf(type, parts, { scale, compositionScale: row.composition_weight, boost }, 'weightType');
    const what = `${type} on ${base}, ${JSON.stringify({ scale, boost, composition: row.composition_weight })}`;
    verdict.close(
      what,
      layers.map((/** @type {{ weight: number }} */ layer) => layer.weight),
      row.per_layer,
      1e-6,
    );
    verdict.close(
      `${what}: swapped`,
      layers.map((/** @type {{ swapped: boolean }} */ layer) => Number(layer.swapped)),
      row.swapped,
      0,
    );
  }
};

export const checks = { 'adapter/weight-types': checkWeightTypes, 'adapter/windows': checkWindows };
