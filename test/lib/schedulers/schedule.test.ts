// Configurations, options and refusals; the numbers are those of golden.test.ts.
import t from 'tap';
import {
  publicConfigs,
  readSchedulerConfig,
  type Sampler,
  samplerOf,
  samplers,
  schedule,
  schedulerConfig,
} from '../../../lib/schedulers/index.js';

const publicConfig = publicConfigs.sd15;

t.test('strength runs the last part, whose history starts afresh', async (test) => {
  // source: diffusers img2img, 8 steps, strength 0.3: two steps
  const ddim = schedule('ddim', publicConfig, 8, { strength: 0.3 });
  test.same(ddim.timesteps, [126, 1]);
  test.same(
    ddim.rows.map((row) => row.step),
    [0, 1],
  );
  const solver = schedule('dpmpp_2m', publicConfig, 10, { strength: 0.6 });
  test.equal(solver.rows.length, 6);
  test.equal(solver.rows[0]!.updates[0]!.outputs.length, 1, 'the first step run is of first order');
  test.equal(solver.rows[1]!.updates[0]!.outputs.length, 2);
  test.equal(
    schedule('unipc', publicConfig, 10, { strength: 0.6 }).rows[0]!.updates.length,
    1,
    'nothing to correct yet',
  );
  const euler = schedule('euler', publicConfig, 10, { strength: 0.6 });
  test.equal(
    euler.initNoiseSigma,
    schedule('euler', publicConfig, 10).initNoiseSigma,
    'initial noise is the schedule’s',
  );
  test.equal(euler.addNoise(0).noise.toFixed(5), '1.62369', 'noised to the level of the first step run');
  test.equal(schedule('heun', publicConfig, 10, { strength: 0.6 }).rows.length, 11);
  const pndm = schedule('pndm', publicConfig, 10, { strength: 0.6 });
  test.same(
    pndm.rows.map((row) => row.step),
    [0, 0, 1, 2, 3, 4, 5],
  );
  test.same(
    schedule('lcm', publicConfig, 4, { strength: 0.5 }).timesteps,
    [499, 379, 259, 139],
    'LCM picks from a shorter list',
  );
  test.throws(() => schedule('ddim', publicConfig, 4, { strength: 0.2 }), { code: 'OPTION_RANGE' });
});

t.test('options go before the configuration', async (test) => {
  const config = { ...publicConfig, use_karras_sigmas: true };
  test.equal(schedule('euler', config, 10).timesteps[1]!.toFixed(4), '815.0175');
  test.equal(schedule('euler', config, 10, { schedule: 'default' }).timesteps[1], 801);
  test.equal(schedule('euler', config, 10, { schedule: 'default', spacing: 'trailing' }).timesteps[1], 899);
  test.equal(
    schedule('euler', publicConfig, 10, { zeroSnr: true, spacing: 'trailing' }).sigmas[0]!.toFixed(3),
    '4096.000',
  );
  test.ok(schedule('ddim', publicConfig, 10, { eta: 0.5 }).rows.every((row) => row.updates[0]!.draws));
  test.notOk(schedule('ddim', publicConfig, 10).rows.some((row) => row.updates[0]!.draws));
});

t.test('a field that is missing has the default of the sampler', async (test) => {
  test.equal(schedule('euler', {}, 10).timesteps[0], 999, 'Euler: linspace');
  test.equal(schedule('ddim', {}, 10).timesteps[0], 900, 'DDIM: leading, no offset');
});

t.test('schedules of A1111 and ComfyUI, n = 10', async (test) => {
  // source: the numbers of the diffusion specification, section 6.4, rounded to five places there
  const printed = {
    normal: [14.61464, 7.83988, 4.60917, 2.91831, 1.95016, 1.34493, 0.93236, 0.62498, 0.36866, 0.02917, 0],
    sgm_uniform: [14.61464, 8.30717, 5.09241, 3.32507, 2.27973, 1.61558, 1.16286, 0.83188, 0.57119, 0.3437, 0],
    simple: [14.61464, 8.3028, 5.08776, 3.32108, 2.27646, 1.61289, 1.16058, 0.82986, 0.56928, 0.34167, 0],
    ddim_uniform: [8.39069, 5.13443, 3.34776, 2.29285, 1.62369, 1.16822, 0.83565, 0.57405, 0.34619, 0.04131, 0],
    exponential: [14.61464, 7.32487, 3.67123, 1.84002, 0.92222, 0.46222, 0.23166, 0.11611, 0.05819, 0.02917, 0],
  } as const;
  for (const [name, want] of Object.entries(printed)) {
    for (const sampler of ['euler', 'dpmpp_2m'] as const) {
      // trap: where diffusers has the schedule, its Euler takes the bounds from the spacing
      const run = schedule(sampler, publicConfig, 10, {
        schedule: name as keyof typeof printed,
        ...(name === 'exponential' && { spacing: 'linspace' }),
      });
      // 2e-5: the specification's table is in f64, ours rounds as diffusers does
      for (const [i, sigma] of run.sigmas.entries())
        test.ok(Math.abs(sigma - want[i]!) < 2e-5, `${sampler} ${name} ${i}: ${sigma}`);
    }
  }
  const { timesteps } = schedule('euler', publicConfig, 10, { schedule: 'sgm_uniform' });
  test.equal(timesteps[1]!.toFixed(3), '899.100', 'Euler takes fractions');
  test.equal(schedule('dpmpp_2m', publicConfig, 10, { schedule: 'sgm_uniform' }).timesteps[1], 899, 'solvers do not');
  test.equal(schedule('euler', publicConfig, 10, { schedule: 'normal' }).initNoiseSigma.toFixed(4), '14.6146');
  test.throws(() => schedule('euler', publicConfig, 1000, { schedule: 'ddim_uniform' }), { code: 'OPTION_RANGE' });
  // the timestep of a middle σ is looked up in the table
  const sde = schedule('dpmpp_sde', publicConfig, 10, { schedule: 'normal' });
  test.ok(sde.timesteps.every((t, i) => i === 0 || t < sde.timesteps[i - 1]!));
});

t.test('the level of the initial noise follows the tool that draws it', async (test) => {
  const level = (sampler: Sampler, name: 'normal' | 'ddim_uniform', initial: 'reference' | 'sigma' | 'whole') =>
    Number(schedule(sampler, publicConfig, 10, { schedule: name, initial }).initNoiseSigma.toFixed(4));
  test.same([level('euler', 'normal', 'sigma'), level('euler', 'normal', 'whole')], [14.6146, 14.6488]);
  test.same([level('euler', 'ddim_uniform', 'sigma'), level('euler', 'ddim_uniform', 'whole')], [8.3907, 8.3907]);
  // the same, where latents are α·x
  test.same(
    (['reference', 'sigma', 'whole'] as const).map((initial) => level('dpmpp_2m', 'normal', initial)),
    [1, 0.9977, 1],
  );
});

t.test('scheduler_config.json', async (test) => {
  const config = readSchedulerConfig(
    '{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "trained_betas": null}',
    'file',
  );
  test.equal(samplerOf(config), 'dpmpp_2m');
  test.equal(
    samplerOf(schedulerConfig({ _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'sde-dpmsolver++' }, 'f')),
    'dpmpp_2m_sde',
  );
  for (const [name, sampler] of [
    ['DPMSolverSDEScheduler', 'dpmpp_sde'],
    ['LMSDiscreteScheduler', 'lms'],
    ['KDPM2DiscreteScheduler', 'dpm_2'],
    ['KDPM2AncestralDiscreteScheduler', 'dpm_2_ancestral'],
    ['DEISMultistepScheduler', 'deis'],
    ['DDPMScheduler', 'ddpm'],
  ] as const)
    test.equal(samplerOf(schedulerConfig({ _class_name: name }, 'f')), sampler);
  test.equal(samplerOf(publicConfigs.sd15), 'pndm');
  test.equal(samplerOf(publicConfigs.sdxl), 'euler');
  test.throws(() => samplerOf({}), { code: 'MODEL_FORMAT_UNSUPPORTED' });
  const refused = (json: unknown, code: string) =>
    test.throws(() => schedulerConfig(json, 'folder/scheduler_config.json'), { code, message: /scheduler_config/ });
  refused({ beta_start: 'x' }, 'MODEL_HEADER_INVALID');
  refused({ beta_start: 2 }, 'MODEL_HEADER_INVALID');
  refused([], 'MODEL_HEADER_INVALID');
  refused({ num_train_timesteps: 1e9 }, 'MODEL_HEADER_INVALID');
  refused({ thresholding: true }, 'MODEL_FORMAT_UNSUPPORTED');
  refused({ timestep_type: 'continuous' }, 'MODEL_FORMAT_UNSUPPORTED');
  test.throws(() => readSchedulerConfig('{', 'file'), { code: 'MODEL_HEADER_INVALID' });
  test.throws(() => samplerOf({ _class_name: 'FlowMatchEulerDiscreteScheduler' }), {
    code: 'MODEL_FORMAT_UNSUPPORTED',
  });
  test.throws(() => samplerOf({ _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'dpmsolver' }), {
    code: 'MODEL_FORMAT_UNSUPPORTED',
    message: /dpmsolver/,
  });
});

t.test('what has no table is refused by name', async (test) => {
  const refuse = (code: string, sampler: string, steps: number, config: object, options = {}) =>
    test.throws(
      () => schedule(sampler as Sampler, { ...publicConfig, ...config }, steps, options),
      { code },
      `${sampler} ${JSON.stringify([config, options])}`,
    );
  refuse('OPTION_RANGE', 'euler', 0, {});
  refuse('OPTION_RANGE', 'euler', 1.5, {});
  refuse('OPTION_RANGE', 'euler', 1001, {});
  refuse('OPTION_RANGE', 'euler', Number.NaN, {});
  refuse('OPTION_RANGE', 'ddim', 1000, {}); // offset 1 starts at timestep 1000
  refuse('OPTION_RANGE', 'lcm', 51, {});
  refuse('OPTION_RANGE', 'euler', 10, {}, { strength: 1.1 });
  refuse('OPTION_CONFLICT', 'dpmpp_2m', 1000, { steps_offset: 0 }); // every step at one level
  refuse('OPTION_CONFLICT', 'unipc', 1000, { steps_offset: 0, solver_order: 3 });
  refuse('OPTION_CONFLICT', 'ddim', 10, {}, { zeroSnr: true, spacing: 'trailing' });
  refuse('OPTION_CONFLICT', 'pndm', 10, {}, { prediction: 'v', zeroSnr: true, spacing: 'trailing' });
  refuse('OPTION_CONFLICT', 'unipc', 10, { solver_type: 'bh1' });
  refuse('MODEL_FORMAT_UNSUPPORTED', 'ddim', 10, { clip_sample: true });
  refuse('MODEL_FORMAT_UNSUPPORTED', 'dpmpp_2m_sde', 10, { solver_order: 3 });
  test.throws(() => schedule('eular' as Sampler, publicConfig, 10), { code: 'OPTION_UNKNOWN', hint: /euler/ });
});

t.test('every sampler has finite rows for every number of steps', async (test) => {
  for (const sampler of samplers) {
    const most = sampler === 'lcm' || sampler === 'tcd' ? 50 : 120;
    const spacings = ['leading', 'trailing', 'linspace'] as const;
    for (let steps = 1; steps <= most; ++steps) {
      for (const spacing of spacings) {
        const run = schedule(sampler, publicConfig, steps, { spacing });
        // of steps, not of calls: DPM2 a looks below the level that its noise goes back to
        const levels = [...run.rows.flatMap((row, i) => (run.rows[i - 1]?.step === row.step ? [] : [run.sigmas[i]!]))];
        if (run.steps !== steps || [...levels, run.sigmas.at(-1)!].some((s, i) => s > levels[i - 1]!))
          test.fail(`${sampler}, ${spacing}, ${steps} steps`);
      }
    }
    test.pass(sampler);
  }
});
