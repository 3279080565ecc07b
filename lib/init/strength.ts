import { STRENGTHS } from '../options/table/init.js';
import type { Schedule } from '../schedulers/index.js';
import type { InitSettings } from './options.js';

/** The strength of a run: what is asked for, else the family's. */
export const strengthOf = (init: InitSettings | undefined, isXl: boolean): number => {
  if (!init) return 1;
  const { whole, masked } = STRENGTHS[isXl ? 'sdxl' : 'sd15'];
  return init.strength ?? (init.mask === undefined ? whole : masked);
};

/** The table of a run at a strength; at 0 no step is done, and the picture goes through the VAE alone. */
export const scheduleAt = (strength: number, scheduleOf: (strength: number) => Schedule): Schedule => {
  if (strength > 0) return scheduleOf(strength);
  const full = scheduleOf(1);
  return { ...full, rows: [], timesteps: [], sigmas: full.sigmas.slice(-1), steps: 0 };
};
