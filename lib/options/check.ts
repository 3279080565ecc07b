import type { z } from 'zod';
import { nearest, OptionError, quoted } from '../errors.js';

const LIST_LIMIT = 1024; // entries; the longest legal list has 70
const DEPTH_LIMIT = 4; // levels; the deepest legal value is a list in a block dictionary

/** A value as it is shown in an error: text quoted and cut, everything else by its kind or number. */
export const shown = (value: unknown): string => {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
    return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'function' ? 'a function' : typeof value === 'symbol' ? 'a symbol' : 'an object';
};

/** The error of a value of the wrong type or out of range, in the house's wording. */
export const expectedFor = (
  code: 'OPTION_TYPE' | 'OPTION_RANGE',
  option: string,
  expected: string,
  found: unknown,
  hint = `Change ${option}, or leave it out`,
  cause?: unknown,
): OptionError =>
  new OptionError(code, `Expected ${expected} for ${option} but received ${shown(found)}`, hint, {
    details: { option, expected, found: shown(found) },
    ...(cause === undefined ? {} : { cause }),
  });

/** What an object of options may hold: its names, and those that later versions will take. */
export interface Names {
  readonly known: readonly string[];
  readonly later: readonly string[];
}

const unknownOption = (name: string, where: string, { known, later }: Names): OptionError => {
  const place = where === '' ? '' : ` of ${where}`;
  if (later.includes(name)) {
    return new OptionError(
      'OPTION_UNKNOWN',
      `The option ${quoted(name)}${place} is not in this version`,
      `Leave ${name} out`,
      {
        details: { option: name },
      },
    );
  }
  const near = nearest(name, known);
  return new OptionError(
    'OPTION_UNKNOWN',
    `There is no option ${quoted(name)}${place}`,
    near ? `Did you mean "${near}"?` : `Use one of ${known.join(', ')}`,
    { details: { option: name, nearest: near } },
  );
};

/** Runs code that may call into the caller's getters and proxies. */
const reading = <T>(where: string, read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof OptionError) throw cause;
    throw new OptionError(
      'OPTION_TYPE',
      `Reading ${where === '' ? 'the options' : where} threw an error`,
      'Give plain objects and values',
      { details: { option: where }, cause },
    );
  }
};

/**
 * The options of a caller, read exactly once into a plain copy: a getter that changes its mind, or a proxy, changes
 * nothing afterwards. Values that are `undefined` count as left out.
 */
export const readOnce = (options: unknown, where: string, names: Names): Record<string, unknown> =>
  reading(where, () => {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw expectedFor(
        'OPTION_TYPE',
        where === '' ? 'options' : where,
        'an object of options',
        options,
        'Give an object such as { steps: 20 }',
      );
    }
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(options)) {
      if (!names.known.includes(key)) throw unknownOption(key, where, names);
      const value = (options as Record<string, unknown>)[key];
      if (value !== undefined) copy[key] = value;
    }
    return copy;
  });

/** A caller's list, its entries read once. */
export const readList = (list: unknown, where: string, most: number): unknown[] =>
  reading(where, () => {
    if (!Array.isArray(list)) throw expectedFor('OPTION_TYPE', where, 'a list', list);
    const length = list.length;
    if (length < 1 || length > most) throw expectedFor('OPTION_RANGE', where, `a list of 1 to ${most} entries`, list);
    return Array.from({ length }, (_, i) => list[i]);
  });

/** Numbers, texts and nested lists and objects of them, read once; anything else stays as it is. */
export const readPlain = (value: unknown, where: string, depth = DEPTH_LIMIT): unknown =>
  reading(where, () => {
    if (typeof value !== 'object' || value === null) return value;
    if (depth === 0) throw expectedFor('OPTION_TYPE', where, 'a value without deep nesting', value);
    if (Array.isArray(value)) {
      const length = value.length;
      if (length > LIST_LIMIT)
        throw expectedFor('OPTION_RANGE', where, `a list of at most ${LIST_LIMIT} entries`, value);
      return Array.from({ length }, (_, i) => readPlain(value[i], where, depth - 1));
    }
    const keys = Object.keys(value);
    if (keys.length > LIST_LIMIT)
      throw expectedFor('OPTION_RANGE', where, `an object of at most ${LIST_LIMIT} entries`, value);
    const copy = new Map(
      keys.map((key) => [key, readPlain((value as Record<string, unknown>)[key], where, depth - 1)]),
    );
    return Object.fromEntries(copy);
  });

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    root,
  );

/** `references`, 0, `scale` → `references[0].scale` */
export const optionPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );

/**
 * Values checked against a schema whose messages say what is expected ("a number from -1 to 5"). `where` stands before
 * the names in errors. A value of the right type that is out of range is OPTION_RANGE, a name that is none of a list of
 * names OPTION_UNKNOWN, everything else OPTION_TYPE. `mend` may give a better hint for an option.
 */
export const checked = <T>(
  schema: z.ZodType<T>,
  values: unknown,
  where: readonly PropertyKey[] = [],
  mend: (option: string, found: unknown) => string | undefined = () => undefined,
): T => {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const found = valueAt(values, issue.path);
  const option = optionPath([...where, ...issue.path]) || 'options';
  if (issue.code === 'invalid_value' && typeof found === 'string') {
    const names = issue.values.map(String);
    const near = nearest(found, names);
    throw new OptionError(
      'OPTION_UNKNOWN',
      `There is no ${option} ${quoted(found)}`,
      mend(option, found) ?? (near ? `Did you mean "${near}"?` : `Use one of ${names.join(', ')}`),
      { details: { option, found, nearest: near } },
    );
  }
  // NaN, infinity and fractions are numbers out of range, though the schema calls their type wrong
  const isNumber =
    typeof found === 'number' &&
    (issue.code === 'invalid_union' || (issue.code === 'invalid_type' && ['number', 'int'].includes(issue.expected)));
  const isRange = isNumber || ['too_small', 'too_big', 'not_multiple_of'].includes(issue.code);
  const required = found === undefined ? `Give ${option}: nothing can stand in for it` : undefined;
  throw expectedFor(
    isRange ? 'OPTION_RANGE' : 'OPTION_TYPE',
    option,
    issue.message,
    found,
    mend(option, found) ?? required,
  );
};
