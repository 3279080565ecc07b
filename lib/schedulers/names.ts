import type { SigmaSchedule } from './config.js';
import type { Sampler } from './index.js';

/** What a name of another tool is here. */
export interface ForeignName {
  readonly sampler?: Sampler;
  readonly schedule?: SigmaSchedule;
  /** The sampler meant is not in this version; what is named is the nearest one. */
  readonly nearest?: true;
}

/**
 * Names of AUTOMATIC1111's web UI, k-diffusion and ComfyUI, and classes of diffusers, written small and without anything
 * but letters, digits and `+`. An ending such as "karras" is read apart.
 */
const NAMES: Readonly<Record<string, ForeignName>> = {
  ddim: { sampler: 'ddim' },
  ddimscheduler: { sampler: 'ddim' },
  plms: { sampler: 'pndm' },
  pndmscheduler: { sampler: 'pndm' },
  euler: { sampler: 'euler' },
  eulerdiscretescheduler: { sampler: 'euler' },
  eulera: { sampler: 'euler_ancestral' },
  eulerancestral: { sampler: 'euler_ancestral' },
  eulerancestraldiscretescheduler: { sampler: 'euler_ancestral' },
  heun: { sampler: 'heun' },
  heundiscretescheduler: { sampler: 'heun' },
  'dpm++2m': { sampler: 'dpmpp_2m' },
  dpmpp2m: { sampler: 'dpmpp_2m' },
  dpmsolvermultistepscheduler: { sampler: 'dpmpp_2m' },
  'dpm++2msde': { sampler: 'dpmpp_2m_sde' },
  dpmpp2msde: { sampler: 'dpmpp_2m_sde' },
  unipc: { sampler: 'unipc' },
  unipcmultistepscheduler: { sampler: 'unipc' },
  lcm: { sampler: 'lcm' },
  lcmscheduler: { sampler: 'lcm' },
  tcd: { sampler: 'tcd' },
  tcdscheduler: { sampler: 'tcd' },
  // not in this version
  lms: { sampler: 'euler', nearest: true },
  lmsdiscretescheduler: { sampler: 'euler', nearest: true },
  ddpm: { sampler: 'ddim', nearest: true },
  ddpmscheduler: { sampler: 'ddim', nearest: true },
  dpm2: { sampler: 'heun', nearest: true },
  kdpm2discretescheduler: { sampler: 'heun', nearest: true },
  dpm2a: { sampler: 'euler_ancestral', nearest: true },
  dpm2ancestral: { sampler: 'euler_ancestral', nearest: true },
  kdpm2ancestraldiscretescheduler: { sampler: 'euler_ancestral', nearest: true },
  'dpm++2sa': { sampler: 'euler_ancestral', nearest: true },
  dpmpp2sancestral: { sampler: 'euler_ancestral', nearest: true },
  'dpm++sde': { sampler: 'dpmpp_2m_sde', nearest: true },
  dpmppsde: { sampler: 'dpmpp_2m_sde', nearest: true },
  dpmsolversdescheduler: { sampler: 'dpmpp_2m_sde', nearest: true },
  'dpm++2msdeheun': { sampler: 'dpmpp_2m_sde', nearest: true },
  'dpm++3msde': { sampler: 'dpmpp_2m_sde', nearest: true },
  dpmpp3msde: { sampler: 'dpmpp_2m_sde', nearest: true },
  dpmsolversinglestepscheduler: { sampler: 'dpmpp_2m', nearest: true },
  deis: { sampler: 'dpmpp_2m', nearest: true },
  deismultistepscheduler: { sampler: 'dpmpp_2m', nearest: true },
  dpmfast: { sampler: 'dpmpp_2m', nearest: true },
  dpmadaptive: { sampler: 'dpmpp_2m', nearest: true },
};

const SCHEDULES: Readonly<Record<string, SigmaSchedule>> = {
  karras: 'karras',
  exponential: 'exponential',
  beta: 'beta',
  automatic: 'default',
  default: 'default',
};

const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9+]/g, '')
    .replace(/^(sample|k(?=euler|heun|lms|dpm))/, '')
    .replace(/cfgpp$/, '');

/**
 * What a sampler or schedule of another tool is called here, or undefined.
 *
 * @example
 * foreignName('sampler', 'DPM++ 2M Karras') // { sampler: 'dpmpp_2m', schedule: 'karras' }
 */
export const foreignName = (option: 'sampler' | 'schedule', name: string): ForeignName | undefined => {
  const text = plain(name);
  if (option === 'schedule') {
    const schedule = Object.hasOwn(SCHEDULES, text) ? SCHEDULES[text] : undefined;
    return schedule && { schedule };
  }
  if (Object.hasOwn(NAMES, text)) return NAMES[text];
  for (const [ending, schedule] of Object.entries(SCHEDULES)) {
    const head = text.endsWith(ending) ? text.slice(0, -ending.length) : '';
    if (Object.hasOwn(NAMES, head)) return { ...NAMES[head], schedule };
  }
  return undefined;
};

/** The hint that gives the exact options for a name of another tool. */
export const foreignNameHint = (option: string, found: unknown): string | undefined => {
  if ((option !== 'sampler' && option !== 'schedule') || typeof found !== 'string') return undefined;
  const known = foreignName(option, found);
  if (!known) return undefined;
  const { nearest, ...names } = known;
  const options = Object.entries(names).map(([name, value]) => `${name}: '${value}'`);
  return `${nearest ? 'It is not in this version; the nearest is' : 'Give'} ${options.join(', ')}`;
};
