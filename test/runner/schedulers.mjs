// Samplers: every trajectory, model input and noised picture of the reference, and the tables of timesteps and sigmas.
import { samplerOf, schedule, schedulerConfig } from '../../dist/schedulers/index.js';
import { casesOf, tensorsOf } from './cases.mjs';
import { numbers } from './read.mjs';
import { run } from './step-loop.mjs';
import { largest } from './verdict.mjs';

/** @typedef {import('./cases.mjs').Case} Case @typedef {import('./verdict.mjs').Verdict} Verdict */

/** Sampler, configuration and options of a case, from its content. @param {any} info */
const asked = (info) => {
  const config = schedulerConfig({ ...info.config, _class_name: info.reference.split(': ')[1] }, info.id);
  const { eta, strength, s_churn: amount, s_noise: noise } = info.step_arguments;
  const churn = amount === undefined ? undefined : { amount, noise };
  const sampler = samplerOf(config);
  return (/** @type {number} */ steps) => schedule(sampler, config, steps, { eta, strength, churn });
};

/** The analytic model of the cases. @param {number[]} input @param {number} timestep */
const network = (input, timestep) => input.map((value) => Math.tanh(value) * 0.5 + 0.1 * Math.sin(timestep / 100));

/** @param {Case} c @param {Verdict} verdict */
const checkTrajectories = (c, verdict) => {
  const tensors = tensorsOf(c);
  const build = asked(c.info);
  const close = (/** @type {string} */ what, /** @type {number[]} */ got, /** @type {number[]} */ want) =>
    verdict.close(what, got, want, c.info.tolerance.f64 * largest(want)); // of the largest: the reference computed in f32
  for (const steps of c.info.runs) {
    const noise = tensors.has(`in/${steps}.noise`) ? numbers(tensors, `in/${steps}.noise`) : [];
    const start = numbers(tensors, `in/${steps}.x`);
    const size = start.length;
    const trace = run(build(steps), start, network, (i) => noise.slice(i * size, (i + 1) * size));
    verdict.require(
      trace.draws * size === noise.length,
      `${steps} steps draw ${trace.draws} times, the reference ${noise.length / size}`,
    );
    close(`out/${steps}.trajectory`, trace.trajectory.flat(), numbers(tensors, `out/${steps}.trajectory`));
    const inputs = `tap/${steps}.model_input`;
    if (tensors.has(inputs)) close(inputs, trace.inputs.flat(), numbers(tensors, inputs));
  }
  if (!tensors.has('out/add_noise')) return;
  const plan = build(c.info.add_noise_steps);
  const [x0, noise, want] = ['in/add_noise.x0', 'in/add_noise.noise', 'out/add_noise'].map((key) =>
    numbers(tensors, key),
  );
  for (const [i, timestep] of numbers(tensors, 'in/add_noise.timesteps').entries()) {
    const mix = plan.addNoise(plan.timesteps.findIndex((other) => Math.abs(other - timestep) < 1e-3));
    const got = x0.map((value, k) => mix.signal * value + mix.noise * noise[k]);
    close(`out/add_noise at ${timestep}`, got, want.slice(i * x0.length, (i + 1) * x0.length));
  }
};

/**
 * A table names the cases beside it: their ids or file names.
 * @param {Case} c @param {Verdict} verdict
 */
const checkTables = (c, verdict) => {
  const last = (/** @type {string} */ name) => name.split('/').at(-1) ?? '';
  const samplers = new Map(
    casesOf(c.folder.root)
      .filter((other) => other.info?.family === 'scheduler')
      .flatMap((other) => [last(other.name), last(other.info.id ?? '')].map((name) => [name, other.info])),
  );
  for (const row of c.table.rows) {
    const what = `${row.sampler}, ${row.steps} steps`;
    const info = samplers.get(row.sampler);
    if (!info) {
      verdict.fault(`${what}: there is no case ${row.sampler} beside the table`);
      continue;
    }
    const build = asked(info);
    if (row.error) {
      let code = 'no error';
      try {
        build(row.steps);
      } catch (error) {
        code = error.code;
      }
      verdict.require(code === 'OPTION_RANGE', `${what}: ${code}, expected OPTION_RANGE`);
      continue;
    }
    const plan = build(row.steps);
    // f32 sigmas between table entries: a Karras timestep moves by up to 1e-4 of itself
    verdict.close(`${what}: timesteps`, [...plan.timesteps], row.timesteps, 2e-3);
    const sigma = row.init_noise_sigma;
    verdict.close(`${what}: initial noise`, [plan.initNoiseSigma], [sigma], 1e-6 * Math.max(1, sigma));
    if (!row.sigmas) continue;
    verdict.require(
      plan.sigmas.length === row.sigmas.length,
      `${what}: ${plan.sigmas.length} sigmas, expected ${row.sigmas.length}`,
    );
    // relative above 1, absolute below
    const scale = row.sigmas.map((/** @type {number} */ s) => Math.max(1, s));
    verdict.close(
      `${what}: sigmas`,
      plan.sigmas.map((s, i) => s / scale[i]),
      row.sigmas.map((/** @type {number} */ s, /** @type {number} */ i) => s / scale[i]),
      2e-5,
    );
  }
};

export const checks = { scheduler: checkTrajectories, 'scheduler/tables': checkTables };
