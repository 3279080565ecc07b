import { OptionError } from '../errors.js';
import { betaQuantile } from './beta-quantile.js';
import { type FieldSchedule, isFieldSchedule, type Settings } from './config.js';
import { sigmaOf } from './noise-schedule.js';

/** Rounds to a whole number, halves to the even one, as the reference does. */
export const roundHalfEven = (value: number): number => {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
};

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** n points from `from` to `to`, both included; one point is `from`. */
const linspace = (from: number, to: number, n: number): number[] => {
  const stride = (to - from) / (n - 1); // trap: rounded before the product, as numpy does; it decides halves such as 499.5
  return count(n).map((i) => (i === 0 ? from : i === n - 1 ? to : from + i * stride));
};

const leading = (ratio: number, n: number, offset: number): number[] =>
  count(n)
    .map((k) => k * ratio + offset)
    .reverse();
const trailing = (trainSteps: number, n: number): number[] => {
  const stride = trainSteps - trainSteps / n - trainSteps; // as numpy's arange takes it from its first two entries
  return count(n).map((k) => roundHalfEven(trainSteps + k * stride) - 1);
};

/** Steps of the full schedule that a run with `strength` below 1 leaves out. source: diffusers img2img get_timesteps */
export const skippedSteps = ({ steps, strength }: Settings): number => {
  const run = Math.min(Math.trunc(steps * strength), steps);
  if (run < 1) {
    throw new OptionError(
      'OPTION_RANGE',
      `strength ${strength} of ${steps} steps leaves no step to run`,
      `Give strength of at least ${1 / steps}, or more steps`,
      { details: { option: 'strength', found: strength } },
    );
  }
  return steps - run;
};

const withinTable = (timesteps: number[], { trainSteps, steps, stepsOffset }: Settings): number[] => {
  if (timesteps[0]! > trainSteps - 1) {
    throw new OptionError(
      'OPTION_RANGE',
      `${steps} steps with leading spacing and offset ${stepsOffset} start above timestep ${trainSteps - 1}`,
      'Give fewer steps, or spacing "trailing"',
      { details: { option: 'steps', found: steps } },
    );
  }
  return timesteps;
};

/** Whole timesteps of DDIM and PNDM, falling. */
export const wholeTimesteps = (settings: Settings): number[] => {
  const { spacing, trainSteps, steps, stepsOffset } = settings;
  switch (spacing) {
    case 'leading':
      return withinTable(leading(Math.floor(trainSteps / steps), steps, stepsOffset), settings);
    case 'trailing':
      return trailing(trainSteps, steps);
    case 'linspace':
      return linspace(0, trainSteps - 1, steps)
        .map(roundHalfEven)
        .reverse();
  }
};

/** Timesteps of Euler, Euler ancestral and Heun: linspace keeps its fractions, in f32. */
const eulerTimesteps = (settings: Settings): number[] =>
  settings.spacing === 'linspace'
    ? linspace(0, settings.trainSteps - 1, settings.steps)
        .map(Math.fround)
        .reverse()
    : wholeTimesteps(settings);

/** Timesteps of DPM-Solver++ and UniPC: one point more than steps, the lowest one dropped. */
const solverTimesteps = (settings: Settings): number[] => {
  const { spacing, trainSteps, steps, stepsOffset } = settings;
  switch (spacing) {
    case 'leading':
      return withinTable(leading(Math.floor(trainSteps / (steps + 1)), steps + 1, stepsOffset).slice(0, -1), settings);
    case 'trailing':
      return trailing(trainSteps, steps);
    case 'linspace':
      return linspace(0, trainSteps - 1, steps + 1)
        .map(roundHalfEven)
        .reverse()
        .slice(0, -1);
  }
};

/** The table's value at a timestep between entries. */
const interpolated = (table: readonly number[], t: number): number => {
  const low = Math.min(Math.floor(t), table.length - 2);
  return table[low]! + (t - low) * (table[low + 1]! - table[low]!);
};

/** The timestep at which the table has this σ: linear in ln σ between neighbours. `logSigmas` rises. */
const timestepOf = (logSigmas: readonly number[], sigma: number): number => {
  const log = Math.log(Math.max(sigma, 1e-10));
  let low = 0;
  let high = logSigmas.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (logSigmas[middle]! <= log) low = middle;
    else high = middle;
  }
  const along = (logSigmas[low]! - log) / (logSigmas[low]! - logSigmas[low + 1]!);
  return low + Math.min(Math.max(along, 0), 1);
};

const spread = (schedule: 'karras' | 'exponential' | 'beta', max: number, min: number, n: number): number[] => {
  const ramp = linspace(0, 1, n);
  switch (schedule) {
    case 'karras': {
      const rho = 7; // source: arXiv 2206.00364 eq. 5
      const from = max ** (1 / rho);
      return ramp.map((u) => (from + u * (min ** (1 / rho) - from)) ** rho);
    }
    case 'exponential':
      return ramp.map((u) => Math.exp(Math.log(max) + u * (Math.log(min) - Math.log(max))));
    case 'beta':
      return ramp.map((u) => min + betaQuantile(1 - u, 0.6) * (max - min)); // source: arXiv 2407.12173
  }
};

/** Timesteps of the schedules that A1111 and ComfyUI name; σ lies between neighbours of the table by its logarithm. */
const fieldTimesteps = (schedule: FieldSchedule, settings: Settings): number[] => {
  const { steps, trainSteps } = settings;
  switch (schedule) {
    case 'normal':
      return linspace(trainSteps - 1, 0, steps);
    case 'sgm_uniform':
      return linspace(trainSteps - 1, 0, steps + 1).slice(0, -1);
    case 'simple':
      return count(steps).map((k) => trainSteps - 1 - Math.trunc((k * trainSteps) / steps));
    case 'ddim_uniform':
      return withinTable(leading(Math.floor(trainSteps / steps), steps, 1), settings);
  }
};

export interface SigmaTable {
  /** One per step. */
  readonly timesteps: readonly number[];
  /** One per step, then the final one. */
  readonly sigmas: readonly number[];
  /** What the network is given at a σ between those of the steps. */
  readonly timestepAt: (sigma: number) => number;
  /** The highest σ of the training schedule. */
  readonly most: number;
}

/**
 * Timesteps and σ of the samplers that work on σ. trap: the bounds of Karras, exponential and beta are the spaced σ for
 * the Euler family, the whole table for the solvers, which also round the timestep.
 */
export const sigmaTable = (settings: Settings, alphas: readonly number[], family: 'euler' | 'solver'): SigmaTable => {
  const table = alphas.map(sigmaOf);
  const logSigmas = table.map(Math.log);
  const toTimestep = family === 'euler' ? Math.fround : roundHalfEven;
  const timestepAt = (sigma: number): number => toTimestep(timestepOf(logSigmas, sigma));
  const last = settings.finalSigma === 'zero' ? 0 : table[0]!;
  const most = table.at(-1)!;
  const { schedule } = settings;
  if (isFieldSchedule(schedule)) {
    const field = fieldTimesteps(schedule, settings);
    const sigmas = field.map((t) => Math.exp(interpolated(logSigmas, t)));
    return { timesteps: field.map(toTimestep), sigmas: [...sigmas, last], timestepAt, most };
  }
  const spaced = family === 'euler' ? eulerTimesteps(settings) : solverTimesteps(settings);
  const sigmas = spaced.map((t) => interpolated(table, t));
  if (schedule === 'default') return { timesteps: spaced, sigmas: [...sigmas, last], timestepAt, most };

  const [max, min] = family === 'euler' ? [sigmas[0]!, sigmas.at(-1)!] : [most, table[0]!];
  const drawn = spread(schedule, settings.sigmaMax ?? max, settings.sigmaMin ?? min, settings.steps);
  return { timesteps: drawn.map(timestepAt), sigmas: [...drawn, last], timestepAt, most };
};

/**
 * What the initial normal numbers are multiplied by, in the form x₀ + σ·ε: `reference` as the sampler's class does, `sigma`
 * by the first σ (A1111), `whole` by √(σ²+1) where that is the highest of training, else as `sigma` (ComfyUI).
 */
export const initialSigma = ({ initial }: Settings, { sigmas, most }: SigmaTable, reference: number): number => {
  const max = Math.max(...sigmas);
  if (initial === 'reference') return reference;
  // source: ComfyUI's max_denoise, which allows for rounding
  return initial === 'whole' && max >= most * (1 - 1e-5) ? Math.sqrt(max * max + 1) : max;
};
