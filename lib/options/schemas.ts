import { z } from 'zod';
import { expectedFor } from './check.js';

/** Kinds of values in zod's words; the text of each is what an error says was expected. */

export const whole = (least: number, most: number, expected = `a whole number from ${least} to ${most}`) =>
  z.int(expected).min(least, expected).max(most, expected);
export const real = (least: number, most: number, expected = `a number from ${least} to ${most}`) =>
  z.number(expected).min(least, expected).max(most, expected);
export const func = <F>() => z.custom<F>((value) => typeof value === 'function', 'a function');

/** An AbortSignal by what is used of it, so that those of other realms pass too. */
export const signalSchema = z.custom<AbortSignal>(
  (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
  'an AbortSignal',
);

/** A path given by the caller: text, or a `file:` URL. */
export const pathOf = (value: unknown, option: string): string => {
  if (typeof value === 'string' && value !== '') return value;
  throw expectedFor('OPTION_TYPE', option, 'a path', value, `Give ${option} as text`);
};
