import type { RunRecord } from '../images/metadata.js';

/** One control that differs between two pictures. */
export interface Difference {
  /** The option by its place: `steps`, `references[0].scale`, `init.strength`, `model`. */
  readonly option: string;
  /** Its value in the first picture, and in the second; undefined where it is not there. */
  readonly a: unknown;
  readonly b: unknown;
}

/** What differs between the settings of two pictures. */
export interface RecordDiff {
  readonly changes: readonly Difference[];
  /** More than one control changed: what is seen between the pictures has no single cause. */
  readonly several: boolean;
}

/** Of the record, not of the picture: what wrote it, and how. */
const NO_CONTROLS: readonly string[] = ['version', 'package', 'truncated'];

/** Entries of these lists are objects of controls of their own. */
const LISTS: readonly string[] = ['references', 'controls', 'loras', 'textEmbeddings'];
const OBJECTS: readonly string[] = ['init', 'hires', 'reuse', 'freeU'];

/** Facts that follow from a control beside them: where that one changed, they say nothing more. */
const FOLLOW: Readonly<Record<string, readonly string[]>> = {
  adapter: ['variant', 'adapterVersion', 'sha256'],
  controlNet: ['kind', 'sha256'],
  region: ['mask'],
  weights: ['givenWeights'],
  name: ['sha256'],
};

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as text in which the order of keys does not count. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    isFields(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  ) ?? 'undefined';

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

const fieldsDiff = (a: Fields, b: Fields, place: string, skipped: readonly string[]): Difference[] => {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !skipped.includes(name));
  const changed = names.filter((name) => !same(a[name], b[name]));
  const follow = changed.flatMap((name) => FOLLOW[name] ?? []);
  return changed
    .filter((name) => !follow.includes(name))
    .flatMap((name) => valueDiff(name, a[name], b[name], place === '' ? name : `${place}.${name}`));
};

const listDiff = (a: readonly unknown[], b: readonly unknown[], option: string): Difference[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const place = `${option}[${i}]`;
    const [one, other] = [a[i], b[i]];
    if (isFields(one) && isFields(other)) return fieldsDiff(one, other, place, []);
    return same(one, other) ? [] : [{ option: place, a: one, b: other }];
  }).flat();

const valueDiff = (name: string, a: unknown, b: unknown, option: string): Difference[] => {
  if (LISTS.includes(name) && (Array.isArray(a) || Array.isArray(b)))
    return listDiff(Array.isArray(a) ? a : [], Array.isArray(b) ? b : [], option);
  if (OBJECTS.includes(name) && isFields(a) && isFields(b)) return fieldsDiff(a, b, option, []);
  return [{ option, a, b }];
};

/**
 * Which controls differ between the records of two pictures. Versions of the package and the like are none.
 *
 * @example
 * const { changes, several } = diffRecords(a.metadata, b.metadata)
 * for (const { option, a, b } of changes) console.log(option, a, b)
 */
export const diffRecords = (a: RunRecord, b: RunRecord): RecordDiff => {
  const changes = fieldsDiff(a as unknown as Fields, b as unknown as Fields, '', NO_CONTROLS);
  return { changes, several: changes.length > 1 };
};
