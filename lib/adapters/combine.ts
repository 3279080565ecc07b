import type { Engine } from '../native/types.js';
import type { COMBINE } from '../options/table/reference.js';
import type { VariantRow } from './variants.js';

/** How several pictures of one reference act together. */
export type Combine = (typeof COMBINE)[number];

/** Those that make one input of the projector out of several. */
export type ElementWise = Parameters<Engine['combine']>[1]['how'];

/** Side by side or averaged, as the variant was trained, where the reference does not say. */
export const combineOf = (
  { combine = 'best' }: { readonly combine: Combine | undefined },
  { several }: VariantRow,
): Exclude<Combine, 'best'> => (combine === 'best' ? several : combine); // the best alone is no several
