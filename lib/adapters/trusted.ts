import { FaceError } from '../errors.js';
import { mostDropped, type Outlier, outliersOf } from '../faces/same-person.js';
import { expectedFor } from '../options/check.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import type { Warn } from '../warnings.js';
import { type Combine, combineOf } from './combine.js';
import type { Readings } from './readings.js';
import type { ReferenceSettings } from './reference.js';
import type { VariantRow } from './variants.js';

/** What is read of the pictures of a reference: one entry per picture or face. */
export type Inputs = Omit<Readings, 'hashes'>;

/** The entries of a reference that count, and how much. */
export interface Trusted {
  readonly inputs: Inputs;
  /** Of each entry. */
  readonly weights: readonly number[];
  /** The same for the run's record: of sum 1 where they are averaged; undefined where all are 1. */
  readonly recorded: readonly number[] | undefined;
  /** Pictures they came from; undefined where it is each once. */
  readonly used: readonly number[] | undefined;
}

type Choice = Pick<
  ReferenceSettings,
  'option' | 'embedding' | 'images' | 'weights' | 'outliers' | 'combine' | 'weightMode'
>;

/** Ways to combine that divide by the sum of the weights, or do not depend on it. */
const AVERAGES: ReadonlySet<Combine> = new Set<Combine>(['average', 'norm average', 'token average']);

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** As many times the mean as each is: as strong together as without weights. */
const relative = (values: readonly number[]): readonly number[] => {
  const sum = sumOf(values);
  return sum > 0 ? values.map((value) => (value * values.length) / sum) : values.map(() => 1);
};

/** The entry as messages name it. */
const named = ({ option, embedding, images }: Choice, from: readonly number[], index: number): string => {
  const picture = from[index]!;
  const where = embedding ? `embedding, picture ${picture}` : images.length > 1 ? `images[${picture}]` : 'image';
  const beside = from.flatMap((it, i) => (it === picture ? [i] : []));
  return `${option}.${where}${beside.length > 1 ? `, face ${beside.indexOf(index)}` : ''}`;
};

const disagreement = (reference: Choice, from: readonly number[], outliers: readonly Outlier[]): FaceError => {
  const list = outliers.map(
    ({ index, value, reason }) => `${named(reference, from, index)}: ${value.toFixed(2)}, ${reason}`,
  );
  return new FaceError(
    'FACE_REFERENCES_DISAGREE',
    `The faces do not seem to be of one person; likeness to the others of ${list.join('; ')}`,
    'Take these pictures out, or give outliers "off" where several people are meant',
    { details: { option: reference.option, outliers: outliers.map((one) => ({ ...one, picture: from[one.index] })) } },
  );
};

/** Entries of another person than the rest, left out where the reference asks for it: warned of, or refused. */
const dropped = (inputs: Inputs, weights: readonly number[], reference: Choice, warn: Warn): ReadonlySet<number> => {
  const rule = reference.outliers ?? defaultOf(REFERENCE, 'outliers');
  const { identities, from } = inputs;
  if (!identities || rule === 'off') return new Set();
  const counting = from.flatMap((_, i) => (weights[i]! > 0 ? [i] : [])); // what does not count cannot disagree
  const outliers = outliersOf(counting.map((i) => identities[i]!)).map((one) => ({
    ...one,
    index: counting[one.index]!,
  }));
  if (outliers.length > 0 && rule === 'error') throw disagreement(reference, from, outliers);
  const drops = rule === 'drop' ? outliers.slice(0, mostDropped(counting.length)) : [];
  const [first, second] = outliers;
  if (counting.length === 2 && first && second) {
    const both = `${named(reference, from, second.index)} and ${named(reference, from, first.index)}`;
    const likeness = `likeness ${first.value.toFixed(2)}, ${first.reason}`;
    warn('REFERENCE_QUALITY', `${both} do not seem to be of one person (${likeness}); both are used`);
    return new Set(); // there is no majority
  }
  for (const one of outliers) {
    const what = drops.includes(one) ? 'is left out: it seems' : 'seems';
    const likeness = `likeness to the others ${one.value.toFixed(2)}, ${one.reason}`;
    warn('REFERENCE_QUALITY', `${named(reference, from, one.index)} ${what} to be of another person (${likeness})`);
  }
  return new Set(drops.map(({ index }) => index));
};

const bestOf = (qualities: readonly number[], entries: readonly number[]): number =>
  entries.reduce((best, i) => (qualities[i]! > qualities[best]! ? i : best));

/** Which of the entries count, by trust and by quality, and how much. */
export const trustedOf = (inputs: Inputs, reference: Choice, row: VariantRow, warn: Warn): Trusted => {
  const { identities, features, qualities, from } = inputs;
  const isBest = reference.combine === 'best' && qualities !== undefined;
  const weights = isBest || (reference.weights === 'quality' && !qualities) ? undefined : reference.weights;
  const given = from.map((image) => (weights === undefined || weights === 'quality' ? 1 : weights[image]!));
  if (!given.some((weight) => weight > 0)) {
    const expected = 'a number above 0 for a picture that has a face';
    throw expectedFor('OPTION_RANGE', `${reference.option}.weights`, expected, weights);
  }
  const out = dropped(inputs, given, reference, warn);
  const left = [...from.keys()].filter((i) => !out.has(i));
  const kept = isBest ? [bestOf(qualities, left)] : left;
  const pick = <T>(list: readonly T[] | undefined): readonly T[] | undefined => list && kept.map((i) => list[i]!);
  const own = weights === 'quality' ? relative(pick(qualities)!) : pick(given)!;
  const sum = AVERAGES.has(combineOf(reference, row)) && reference.weightMode !== 'embed' ? sumOf(own) : 1;
  const sources = pick(from)!;
  return {
    inputs: { identities: pick(identities), features: pick(features), qualities: pick(qualities), from: sources },
    weights: own,
    recorded: weights === undefined ? undefined : own.map((weight) => weight / sum),
    used: left.length === from.length && !isBest && sources.every((it, i) => it === i) ? undefined : sources,
  };
};
