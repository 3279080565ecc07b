import { z } from 'zod';
import { expectedFor } from './check.js';

/** Kinds of values in zod's words; the text of each is what an error says was expected. */

export const whole = (least: number, most: number) => {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
};
export const real = (least: number, most: number) => {
  const expected = `a number from ${least} to ${most}`;
  return z.number(expected).min(least, expected).max(most, expected);
};
export const side = () => {
  const expected = 'a multiple of 8 from 64 to 4096';
  return z.int(expected).min(64, expected).max(4096, expected).multipleOf(8, expected);
};
export const text = (most: number) => z.string('text').max(most, `text of at most ${most} characters`);
export const oneOf = <const T extends readonly string[]>(names: T) => z.enum(names, `one of ${names.join(', ')}`);
export const flag = () => z.boolean('true or false');
export const func = <F>() => z.custom<F>((value) => typeof value === 'function', 'a function');
export const path = z.string('a path').min(1, 'a path');
export const name = z
  .string('a name')
  .min(1, 'a name of 1 to 100 characters')
  .max(100, 'a name of 1 to 100 characters')
  .optional();

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
