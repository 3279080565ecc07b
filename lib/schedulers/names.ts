import type { SigmaSchedule } from './config.js';
import type { Sampler } from './index.js';

/** What a name of another tool is here. */
export interface ForeignName {
  readonly sampler?: Sampler;
  readonly schedule?: SigmaSchedule;
  /** The sampler meant is not in this version; what is named is the nearest one. */
  readonly nearest?: true;
}

/** What other tools call a sampler; absent where a tool has none. */
export interface ToolNames {
  readonly a1111?: string;
  readonly comfyui?: string;
  /** Class of diffusers. */
  readonly diffusers?: string;
}

/** One row per sampler, read in both directions. */
const SAMPLER_NAMES: Readonly<Record<Sampler, ToolNames>> = {
  ddim: { a1111: 'DDIM', comfyui: 'ddim', diffusers: 'DDIMScheduler' },
  pndm: { a1111: 'PLMS', diffusers: 'PNDMScheduler' },
  euler: { a1111: 'Euler', comfyui: 'euler', diffusers: 'EulerDiscreteScheduler' },
  euler_ancestral: { a1111: 'Euler a', comfyui: 'euler_ancestral', diffusers: 'EulerAncestralDiscreteScheduler' },
  heun: { a1111: 'Heun', comfyui: 'heun', diffusers: 'HeunDiscreteScheduler' },
  dpmpp_2m: { a1111: 'DPM++ 2M', comfyui: 'dpmpp_2m', diffusers: 'DPMSolverMultistepScheduler' },
  dpmpp_2m_sde: { a1111: 'DPM++ 2M SDE', comfyui: 'dpmpp_2m_sde' }, // in diffusers an algorithm of the class above
  unipc: { a1111: 'UniPC', comfyui: 'uni_pc_bh2', diffusers: 'UniPCMultistepScheduler' },
  lcm: { a1111: 'LCM', comfyui: 'lcm', diffusers: 'LCMScheduler' },
  tcd: { diffusers: 'TCDScheduler' },
  dpmpp_sde: { a1111: 'DPM++ SDE', comfyui: 'dpmpp_sde', diffusers: 'DPMSolverSDEScheduler' },
  dpmpp_3m_sde: { a1111: 'DPM++ 3M SDE', comfyui: 'dpmpp_3m_sde' },
  lms: { a1111: 'LMS', comfyui: 'lms', diffusers: 'LMSDiscreteScheduler' },
  dpm_2: { a1111: 'DPM2', comfyui: 'dpm_2', diffusers: 'KDPM2DiscreteScheduler' },
  dpm_2_ancestral: { a1111: 'DPM2 a', comfyui: 'dpm_2_ancestral', diffusers: 'KDPM2AncestralDiscreteScheduler' },
  deis: { comfyui: 'deis', diffusers: 'DEISMultistepScheduler' },
  ddpm: { comfyui: 'ddpm', diffusers: 'DDPMScheduler' },
};

/** The same of schedules; diffusers has flags for them, no names. */
const SCHEDULE_NAMES: Readonly<Record<SigmaSchedule, ToolNames>> = {
  default: { a1111: 'Automatic' },
  karras: { a1111: 'Karras', comfyui: 'karras' },
  exponential: { a1111: 'Exponential', comfyui: 'exponential' },
  beta: { a1111: 'Beta', comfyui: 'beta' },
  normal: { a1111: 'Normal', comfyui: 'normal' },
  simple: { a1111: 'Simple', comfyui: 'simple' },
  sgm_uniform: { a1111: 'SGM Uniform', comfyui: 'sgm_uniform' },
  ddim_uniform: { a1111: 'DDIM', comfyui: 'ddim_uniform' },
};

/** Further names as `plain` leaves them, and names of samplers that are not in this version. */
const FURTHER: Readonly<Record<string, ForeignName>> = {
  unipc: { sampler: 'unipc' },
  tcd: { sampler: 'tcd' },
  dpm2ancestral: { sampler: 'dpm_2_ancestral' },
  'dpm++2msdeheun': { sampler: 'dpmpp_2m_sde', nearest: true },
  dpmpp2msdeheun: { sampler: 'dpmpp_2m_sde', nearest: true },
  'dpm++2sa': { sampler: 'dpm_2_ancestral', nearest: true },
  dpmpp2sancestral: { sampler: 'dpm_2_ancestral', nearest: true },
  heunpp2: { sampler: 'heun', nearest: true },
  restart: { sampler: 'heun', nearest: true },
  ipndm: { sampler: 'pndm', nearest: true },
  ipndmv: { sampler: 'pndm', nearest: true },
  dpmsolversinglestepscheduler: { sampler: 'dpmpp_2m', nearest: true },
  dpmfast: { sampler: 'dpmpp_2m', nearest: true },
  dpmadaptive: { sampler: 'dpmpp_2m', nearest: true },
};

/** Written small and without anything but letters, digits and `+`. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9+]/g, '')
    .replace(/^(sample|k(?=euler|heun|lms|dpm))/, '')
    .replace(/(cfg(pp|\+\+)|gpu)$/, '');

const pairs = <T extends string>(table: Readonly<Record<T, ToolNames>>): [string, T][] =>
  (Object.entries(table) as [T, ToolNames][]).flatMap(([own, names]) =>
    (Object.values(names) as string[]).map((name): [string, T] => [plain(name), own]),
  );

const NAMES = new Map<string, ForeignName>([
  ...Object.entries(FURTHER),
  ...pairs(SAMPLER_NAMES).map(([name, sampler]): [string, ForeignName] => [name, { sampler }]),
]);

const SCHEDULES = new Map<string, SigmaSchedule>([
  ...pairs(SCHEDULE_NAMES),
  ['default', 'default'],
  ['uniform', 'normal'], // A1111's name for what k-diffusion does unasked
]);

/** Endings that a sampler's name may carry, as A1111 wrote them once. The longest first; a sampler named "DDIM" is none. */
const ENDINGS = [...SCHEDULES].filter(([name]) => name !== 'ddim').sort(([a], [b]) => b.length - a.length);

/**
 * What a sampler or schedule of another tool is called here, or undefined.
 *
 * @example
 * foreignName('sampler', 'DPM++ 2M Karras') // { sampler: 'dpmpp_2m', schedule: 'karras' }
 */
export const foreignName = (option: 'sampler' | 'schedule', name: string): ForeignName | undefined => {
  const text = plain(name);
  if (option === 'schedule') {
    const schedule = SCHEDULES.get(text);
    return schedule && { schedule };
  }
  const whole = NAMES.get(text);
  if (whole) return whole;
  for (const [ending, schedule] of ENDINGS) {
    const head = text.endsWith(ending) ? NAMES.get(plain(text.slice(0, -ending.length))) : undefined;
    if (head) return { ...head, schedule };
  }
  return undefined;
};

/**
 * What another tool calls a sampler and a schedule of ours; undefined where it has none.
 *
 * @example
 * namesIn('a1111', 'dpmpp_2m', 'karras') // { sampler: 'DPM++ 2M', schedule: 'Karras' }
 */
export const namesIn = (
  tool: keyof ToolNames,
  sampler: string,
  schedule?: string,
): { readonly sampler: string | undefined; readonly schedule: string | undefined } => ({
  sampler: Object.hasOwn(SAMPLER_NAMES, sampler) ? SAMPLER_NAMES[sampler as Sampler][tool] : undefined,
  schedule:
    schedule !== undefined && Object.hasOwn(SCHEDULE_NAMES, schedule)
      ? SCHEDULE_NAMES[schedule as SigmaSchedule][tool]
      : undefined,
});

/** The hint that gives the exact options for a name of another tool. */
export const foreignNameHint = (option: string, found: unknown): string | undefined => {
  if ((option !== 'sampler' && option !== 'schedule') || typeof found !== 'string') return undefined;
  const known = foreignName(option, found);
  if (!known) return undefined;
  const { nearest, ...names } = known;
  const options = Object.entries(names).map(([name, value]) => `${name}: '${value}'`);
  return `${nearest ? 'It is not in this version; the nearest is' : 'Give'} ${options.join(', ')}`;
};
