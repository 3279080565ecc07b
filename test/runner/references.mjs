// What the options of a reference come to: when it acts.
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

export const checks = { 'adapter/windows': checkWindows };
