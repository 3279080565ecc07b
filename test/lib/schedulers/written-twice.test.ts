// Samplers without golden trajectories: the papers' and k-diffusion's loops written a second time, plainly, on x = x₀ + σ·ε in
// f64, on an analytic model; the tables must take the same way.
import t, { type Test } from 'tap';
import { publicConfigs, type Sampler, type Schedule, samplers, schedule } from '../../../lib/schedulers/index.js';
import { run } from '../../runner/step-loop.mjs';

const config = publicConfigs.sd15;
type Denoise = (x: number, sigma: number) => number;
type Options = Parameters<typeof schedule>[3];

const denoise: Denoise = (x, sigma) =>
  0.7 * Math.tanh(x / Math.sqrt(1 + sigma * sigma)) + 0.2 * Math.sin(3 / (1 + sigma));
const draws = Array.from({ length: 200 }, (_, i) => Math.sin(12.9898 * (i + 1)) * 1.7); // in place of normal numbers

/** What a network of this prediction type says where the analytic model is known; its input is α·x at every sampler. */
const network =
  (plan: Schedule, prediction: 'epsilon' | 'v' | 'sample' = 'epsilon') =>
  ([input]: number[], _: number, call: number): number[] => {
    const sigma = plan.sigmas[call]!;
    const root = Math.sqrt(1 + sigma * sigma);
    const x = input! * root;
    const clean = denoise(x, sigma);
    const e = (x - clean) / sigma;
    return [{ epsilon: e, v: (e - sigma * clean) / root, sample: clean }[prediction]];
  };

/** x = x₀ + σ·ε at the end of each outer step, of the table that begins at `start`, and the σ of the steps. */
const byTable = (sampler: Sampler, steps: number, options: Options = {}, changed: object = {}) => {
  const plan = schedule(sampler, { ...config, ...changed }, steps, options);
  const scaled = plan.rows[0]!.inputScale === 1; // latents in the form α·x
  const first = plan.sigmas[0]!;
  const start = 3 + first;
  const trace = run(plan, [scaled ? start / Math.sqrt(1 + first * first) : start], network(plan), (i) => [draws[i]!]);
  const last = plan.rows.flatMap((row, i) => (plan.rows[i + 1]?.step === row.step ? [] : [i]));
  const begin = plan.rows.flatMap((row, i) => (plan.rows[i - 1]?.step === row.step ? [] : [i]));
  const sigmas = [...begin.map((i) => plan.sigmas[i]!), plan.sigmas.at(-1)!];
  const path = last.map((i, step) => {
    const sigma = sigmas[step + 1]!;
    return trace.trajectory[i]![0]! * (scaled ? Math.sqrt(1 + sigma * sigma) : 1);
  });
  return { start, sigmas, path, plan, drawn: trace.draws };
};

const split = (from: number, to: number, eta: number): [number, number] => {
  const up = Math.min(to, eta * Math.sqrt((to ** 2 * (from ** 2 - to ** 2)) / from ** 2));
  return [Math.sqrt(to ** 2 - up ** 2), up];
};

/** ∫ f from a to b by Simpson's rule. */
const integral = (f: (t: number) => number, a: number, b: number): number => {
  const n = 2000;
  const h = (b - a) / n;
  let sum = f(a) + f(b);
  for (let i = 1; i < n; ++i) sum += (i % 2 ? 4 : 2) * f(a + i * h);
  return (sum * h) / 3;
};

const basis = (points: readonly number[], k: number) => (t: number) => {
  let product = 1;
  for (const [j, p] of points.entries()) if (j !== k) product *= (t - p) / (points[k]! - p);
  return product;
};

type Loop = (x: number, sigmas: readonly number[], eta: number) => number[];

// source: k-diffusion sample_dpmpp_sde, r = 1/2, in the times t = −ln σ of that function
const sde: Loop = (x, sigmas, eta) => {
  let drawn = 0;
  return sigmas.slice(0, -1).map((sigma, i) => {
    const next = sigmas[i + 1]!;
    const m = denoise(x, sigma);
    if (next === 0) x = x + ((x - m) / sigma) * (next - sigma);
    else {
      const time = -Math.log(sigma);
      const middle = time + (-Math.log(next) - time) / 2;
      const [down, up] = split(sigma, Math.exp(-middle), eta);
      let at = -Math.log(down);
      const x2 = Math.exp(time - at) * x - Math.expm1(time - at) * m + (eta ? up * draws[drawn++]! : 0);
      const m2 = denoise(x2, Math.exp(-middle));
      const [down2, up2] = split(sigma, next, eta);
      at = -Math.log(down2);
      x = Math.exp(time - at) * x - Math.expm1(time - at) * m2 + (eta ? up2 * draws[drawn++]! : 0);
    }
    return x;
  });
};

// source: k-diffusion sample_dpmpp_2m_sde (midpoint) and sample_dpmpp_3m_sde
const multistepSde =
  (points: 2 | 3): Loop =>
  (x, sigmas, eta) => {
    let drawn = 0;
    const old: number[] = [];
    const widths: number[] = [];
    return sigmas.slice(0, -1).map((sigma, i) => {
      const next = sigmas[i + 1]!;
      const m = denoise(x, sigma);
      if (next === 0) {
        x = m;
        return x;
      }
      const h = Math.log(sigma / next);
      const he = h * (1 + eta);
      x = Math.exp(-he) * x + (1 - Math.exp(-he)) * m;
      const phi2 = (Math.exp(-he) - 1) / he + 1;
      if (points === 3 && old.length > 1) {
        const [r0, r1] = [widths[0]! / h, widths[1]! / h];
        const [d10, d11] = [(m - old[0]!) / r0, (old[0]! - old[1]!) / r1];
        x += phi2 * (d10 + ((d10 - d11) * r0) / (r0 + r1)) - ((phi2 / he - 0.5) * (d10 - d11)) / (r0 + r1);
      } else if (old.length > 0) {
        const d = ((m - old[0]!) * h) / widths[0]!;
        x += (points === 3 ? phi2 : 0.5 * (1 - Math.exp(-he))) * d;
      }
      if (eta) x += draws[drawn++]! * next * Math.sqrt(1 - Math.exp(-2 * h * eta));
      old.unshift(m);
      widths.unshift(h);
      return x;
    });
  };

// source: k-diffusion sample_lms, whose coefficients are integrals by quadrature
const multistep: Loop = (x, sigmas) => {
  const old: number[] = [];
  return sigmas.slice(0, -1).map((sigma, i) => {
    old.unshift((x - denoise(x, sigma)) / sigma);
    const points = sigmas.slice(Math.max(i - 3, 0), i + 1).reverse();
    for (const k of points.keys()) x += integral(basis(points, k), sigma, sigmas[i + 1]!) * old[k]!;
    return x;
  });
};

// source: k-diffusion sample_dpm_2 and sample_dpm_2_ancestral
const second =
  (isAncestral: boolean): Loop =>
  (x, sigmas, eta) => {
    let drawn = 0;
    return sigmas.slice(0, -1).map((sigma, i) => {
      const next = sigmas[i + 1]!;
      const [down, up] = isAncestral ? split(sigma, next, eta) : [next, 0];
      const d = (x - denoise(x, sigma)) / sigma;
      if (down === 0) x = x + d * (0 - sigma);
      else {
        const middle = Math.exp((Math.log(sigma) + Math.log(down)) / 2);
        const x2 = x + d * (middle - sigma);
        x = x + ((x2 - denoise(x2, middle)) / middle) * (down - sigma);
      }
      if (isAncestral && eta && next > 0) x += up * draws[drawn++]!;
      return x;
    });
  };

// source: arXiv 2204.13902: dx/dρ = e with e a polynomial in ln ρ through its last values, here by quadrature
const exponentialIntegrator =
  (order: number): Loop =>
  (x, sigmas) => {
    const old: number[] = [];
    const steps = sigmas.length - 1;
    return sigmas.slice(0, -1).map((sigma, i) => {
      old.unshift((x - denoise(x, sigma)) / sigma);
      const left = steps - i;
      const next = sigmas[i + 1]!;
      const most = steps < 15 || next === 0 ? left : order; // fewer points at the end, source: diffusers
      const points = sigmas
        .slice(0, i + 1)
        .reverse()
        .slice(0, Math.min(order, most))
        .map(Math.log);
      // with u = ln ρ under the integral, which a step to 0 does not need: its e is constant
      for (const k of points.keys()) {
        const weight =
          next === 0 ? -sigma : integral((u) => basis(points, k)(u) * Math.exp(u), Math.log(sigma), Math.log(next));
        x += weight * old[k]!;
      }
      return x;
    });
  };

const close = (test: Test, got: readonly number[], want: readonly number[], what: string): void => {
  test.equal(got.length, want.length, `${what}: steps`);
  const worst = Math.max(...got.map((value, i) => Math.abs(value - want[i]!)));
  // f64; Simpson's rule at 2,000 pieces leaves 1e-11
  test.ok(worst <= 1e-9, `${what}: worst ${worst}`);
};

const LOOPS: readonly (readonly [Sampler, Loop, object?])[] = [
  ['dpmpp_sde', sde],
  ['dpmpp_2m_sde', multistepSde(2)],
  ['dpmpp_3m_sde', multistepSde(3)],
  ['lms', multistep],
  ['dpm_2', second(false)],
  ['dpm_2_ancestral', second(true)],
  ['deis', exponentialIntegrator(2)],
  ['deis', exponentialIntegrator(3), { solver_order: 3 }],
  ['deis', exponentialIntegrator(1), { solver_order: 1 }],
];

t.test('tables take the way of the plainly written loops', async (test) => {
  for (const [sampler, loop, changed] of LOOPS)
    for (const steps of [1, 2, 3, 9, 20])
      for (const given of ['default', 'karras', 'normal', 'simple'] as const)
        for (const eta of ['dpmpp_sde', 'dpmpp_2m_sde', 'dpmpp_3m_sde', 'dpm_2_ancestral'].includes(sampler)
          ? [1, 0.4, 0]
          : [1]) {
          const found = byTable(sampler, steps, { schedule: given, eta }, changed);
          close(test, found.path, loop(found.start, found.sigmas, eta), `${sampler} ${steps} ${given} η ${eta}`);
        }
});

t.test('Euler ancestral without noise is Euler, and its share is η', async (test) => {
  test.same(byTable('euler_ancestral', 8, { eta: 0 }).drawn, 0);
  close(test, byTable('euler_ancestral', 8, { eta: 0 }).path, byTable('euler', 8).path, 'η 0');
  const { sigmas, plan } = byTable('euler_ancestral', 8, { eta: 0.5 });
  test.equal(plan.rows[2]!.updates[0]!.noise, split(sigmas[2]!, sigmas[3]!, 0.5)[1]);
});

t.test('DDPM: the mean of eq. 11 and the posterior deviation; DDIM with η 1', async (test) => {
  const steps = 10;
  const plan = schedule('ddpm', config, steps);
  let x = 2.5;
  const alphas = plan.sigmas.map((s) => 1 / (s * s + 1));
  const want = plan.rows.map((_, i) => {
    const [now, next] = [alphas[i]!, alphas[i + 1]!];
    const a = now / next;
    const e = network(plan)([x], 0, i)[0]!;
    const mean = (x - ((1 - a) / Math.sqrt(1 - now)) * e) / Math.sqrt(a);
    x = mean + Math.sqrt(((1 - next) / (1 - now)) * (1 - a)) * draws[i]!;
    return x;
  });
  const trace = run(plan, [2.5], network(plan), (i) => [draws[i]!]);
  close(test, trace.trajectory.flat(), want, 'ddpm');
  test.equal(trace.draws, steps, 'also at timestep 1');
  const ddim = schedule('ddim', { ...config, set_alpha_to_one: true }, steps, { eta: 1 });
  close(test, run(ddim, [2.5], network(ddim), (i) => [draws[i]!]).trajectory.flat(), want, 'ddim');
  const whole = schedule('ddpm', { ...config, steps_offset: 0 }, steps);
  test.notOk(whole.rows.at(-1)!.updates[0]!.draws, 'nothing is drawn at timestep 0');
});

t.test('every sampler goes the same way by each prediction type', async (test) => {
  for (const sampler of samplers) {
    const [e, v, sample] = (['epsilon', 'v', 'sample'] as const).map((prediction) => {
      const plan = schedule(sampler, config, 7, { prediction });
      return run(plan, [2.5], network(plan, prediction), (i) => [draws[i]!]).trajectory.flat();
    });
    close(test, sample!, e!, `${sampler}: sample`);
    if (sampler !== 'pndm') close(test, v!, e!, `${sampler}: v`); // PNDM turns v into e after it has combined
  }
});

t.test('every sampler starts from zero signal with prediction v, but PNDM, which cannot', async (test) => {
  for (const sampler of samplers.filter((name) => name !== 'pndm')) {
    const plan = schedule(sampler, config, 6, { prediction: 'v', zeroSnr: true, spacing: 'trailing' });
    const seen = { ...plan, sigmas: plan.sigmas.map((s) => Math.min(s, 4096)) };
    const end = run(plan, [1], network(seen, 'v'), (i) => [draws[i]!]).trajectory.at(-1)![0]!;
    test.ok(Number.isFinite(end) && Math.abs(end) < 3, `${sampler}: ${end}`);
  }
});
