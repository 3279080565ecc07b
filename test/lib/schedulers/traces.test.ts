// The specification's printed traces, and what holds for every sampler. Trajectories of the reference are golden cases.
import t from 'tap';
import { type Sampler, samplers, schedule, schedulerConfig } from '../../../lib/schedulers/index.js';
import { run } from '../../runner/step-loop.mjs';
import { worst } from '../../runner/verdict.mjs';

t.test('printed traces: x = 1, output of call i is 0.5 · (1 − 0.1 i), 10 steps', async (test) => {
  const config = schedulerConfig(
    {
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: 'scaled_linear',
      steps_offset: 1,
      timestep_spacing: 'leading',
      set_alpha_to_one: false,
    },
    'traces',
  );
  const noise = [1.540996, 0.661352, 0.392297, 0.803276]; // first number of generators seeded with 0, 1, 2, 3
  const traces: [Sampler, number, object, number[]][] = [
    [
      'ddim',
      10,
      {},
      [1.3041598, 1.7223997, 2.2371049, 2.8117292, 3.3978639, 3.9456768, 4.4140716, 4.7773137, 5.0207148, 5.0222545],
    ],
    [
      'pndm',
      10,
      {},
      [
        1.3041596, 1.3197222, 1.7968353, 2.3639176, 3.0109754, 3.6671562, 4.2825809, 4.8118601, 5.2268968, 5.5189166,
        5.5215802,
      ],
    ],
    [
      'euler',
      10,
      {},
      [
        -0.6281269, -1.4321276, -1.8540916, -2.0882983, -2.2249413, -2.3080821, -2.3604026, -2.394582, -2.4250693,
        -2.427135,
      ],
    ],
    ['euler_ancestral', 10, {}, [4.6334548, 4.9839211, 4.928359]],
    [
      'heun',
      10,
      {},
      [
        -0.6281269, -0.5467205, -1.2613878, -1.2167211, -1.5331942, -1.5068214, -1.6406537, -1.6239247, -1.6694723,
        -1.6580855,
      ],
    ],
    [
      'dpmpp_2m',
      10,
      {},
      [1.2696046, 1.645265, 2.1104178, 2.6394105, 3.1975789, 3.7463217, 4.2496738, 4.6800966, 5.0225916, 5.2627406],
    ],
    [
      'dpmpp_2m',
      10,
      { schedule: 'karras' },
      [1.2986846, 1.860165, 2.8650355, 4.5069656, 6.546576, 8.0124826, 8.5691795, 8.7022581, 8.7269163, 8.7291698],
    ],
    ['dpmpp_2m_sde', 10, {}, [2.2561579, 3.7578464, 5.3736014]],
    [
      'unipc',
      10,
      {},
      [1.2696046, 1.6539239, 2.1250899, 2.6568327, 3.2172306, 3.7683327, 4.2737179, 4.7054667, 5.0483685, 5.2898331],
    ],
    ['lcm', 4, {}, [3.1777687, 6.880003, 10.3042297, 12.4417057]],
    ['tcd', 4, {}, [3.2431417, 7.1473694, 10.8140879, 13.0744333]],
  ];
  for (const [sampler, steps, options, want] of traces) {
    const plan = schedule(sampler, config, steps, options);
    const trace = run(
      plan,
      [1],
      (_, __, call) => [0.5 * (1 - 0.1 * call)],
      (i) => [noise[i] ?? 0],
    );
    const got = trace.trajectory.flat().slice(0, want.length);
    const found = worst(got, want);
    test.ok(
      found.difference <= 6e-6,
      `${sampler} ${JSON.stringify(options)}: worst ${found.difference} at ${found.at}`,
    );
  }
});

t.test('every sampler: each row draws at most once and each outer step has rows', async (test) => {
  for (const sampler of samplers) {
    const plan = schedule(
      sampler,
      schedulerConfig({ beta_start: 0.00085, beta_end: 0.012, steps_offset: 1 }, 'plain'),
      6,
    );
    test.ok(
      plan.rows.every((row) => row.updates.filter((u) => u.draws).length <= 1),
      sampler,
    );
    test.same([...new Set(plan.rows.map((row) => row.step))], [0, 1, 2, 3, 4, 5], `${sampler}: outer steps`);
    test.equal(plan.sigmas.length, plan.rows.length + 1, `${sampler}: sigmas`);
    test.equal(plan.steps, 6, `${sampler}: steps`);
  }
});
