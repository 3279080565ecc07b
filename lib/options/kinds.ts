import { z } from 'zod';
import type { Group, Row, Rows } from './row.js';
import { real, signalSchema, whole } from './schemas.js';
import { expectation } from './words.js';

type Value<R extends Row> = R['type'] extends 'whole' | 'number'
  ? number | (R['names'] extends readonly (infer N)[] ? N : never)
  : R['type'] extends 'choice'
    ? R['names'] extends readonly (infer N)[]
      ? N
      : never
    : R['type'] extends 'flag'
      ? boolean
      : R['type'] extends 'signal'
        ? AbortSignal
        : R['type'] extends 'text' | 'path' | 'name'
          ? string
          : never;

/** The options that a room checks with a schema of its own. */
export type Own<R extends Rows> = {
  readonly [K in keyof R as R[K]['type'] extends 'special' | 'function' ? K : never]: z.ZodType;
};

export type Checked<R extends Rows, S extends Own<R>> = {
  readonly [K in keyof R]:
    | (K extends keyof S ? z.output<S[K]> : Value<R[K]>)
    | (R[K] extends { readonly required: true } ? never : undefined);
};

const numbers = (row: Row, text: string): z.ZodType => {
  const bounded = (row.type === 'whole' ? whole : real)(...row.range!, text);
  const { multiples } = row;
  const multiple = multiples
    ? bounded.superRefine((value, context) => {
        if (multiples.some((divisor) => value % divisor === 0)) return;
        context.addIssue({
          code: 'not_multiple_of',
          divisor: multiples[0]!,
          origin: 'number',
          input: value,
          message: text,
        });
      })
    : bounded;
  return row.names ? z.union([z.enum(row.names as [string, ...string[]]), multiple], text) : multiple;
};

/** The schema of one row that is no special. */
export const schemaOf = (row: Row): z.ZodType => {
  const text = expectation(row);
  switch (row.type) {
    case 'whole':
    case 'number':
      return numbers(row, text);
    case 'text':
      return z.string('text').max(row.range![1], text);
    case 'name':
      return z.string('a name').min(row.range![0], text).max(row.range![1], text);
    case 'path':
      return z.string(text).min(1, text);
    case 'choice':
      return z.enum(row.names as readonly [string, ...string[]], text);
    case 'flag':
      return z.boolean(text);
    case 'signal':
      return signalSchema;
    case 'function':
    case 'special':
      throw new Error('a special option comes with a schema of its own');
  }
};

/** The schema of a group's object; `own` has those that its room checks. */
export const schemaFor = <R extends Rows, S extends Own<R>>({ rows }: Group<R>, own: S): z.ZodType<Checked<R, S>> =>
  z.object(
    Object.fromEntries(
      Object.entries(rows).map(([name, row]) => {
        const schema = (own as Record<string, z.ZodType>)[name] ?? schemaOf(row);
        return [name, row.required ? schema : schema.optional()];
      }),
    ),
  ) as unknown as z.ZodType<Checked<R, S>>;
