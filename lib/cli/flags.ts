import { InvalidArgumentError, Option } from 'commander';
import { foreignName } from '../index.js';
import type { Group, Row } from '../options/row.js';
import { defaultText, valueText } from '../options/words.js';

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
};

const seed = (text: string): bigint => {
  if (text.trim() === '-1') throw new InvalidArgumentError('-1 means random elsewhere: leave --seed out.');
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 0 to 2^64 - 1.');
  return BigInt(text);
};

const size = (text: string): [number, number] => {
  const found = /^(\d+)x(\d+)$/.exec(text);
  if (!found) throw new InvalidArgumentError('Expected WIDTHxHEIGHT, such as 512x768.');
  return [Number(found[1]), Number(found[2])];
};

const list = (text: string): string[] => text.split(',').map((name) => name.trim());
const numberOrText = (text: string): number | string =>
  text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);

/** Four numbers, or a file. */
const region = (text: string): readonly number[] | string => {
  const numbers = list(text).map((part) => (part === '' ? Number.NaN : Number(part)));
  return numbers.length === 4 && !numbers.some(Number.isNaN) ? numbers : text;
};

/** Flags whose text is not read by the type of their row. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  '--seed': seed,
  '--size': size,
  '--clip-skip': number,
  '--scale': numberOrText,
  '--region': region,
  '--image-formats': list,
};

/** Takes one of the names; another tool's name is answered with the flags to give. */
const named =
  (option: string, names: readonly string[]) =>
  (text: string): string => {
    if (names.includes(text)) return text;
    const isForeign = option === 'sampler' || option === 'schedule';
    const { nearest, ...here } = (isForeign && foreignName(option, text)) || {};
    const flags = Object.entries(here).map(([name, value]) => `--${name} ${value}`);
    const why = nearest ? 'It is not in this version; the nearest is' : 'Give';
    throw new InvalidArgumentError(
      flags.length > 0 ? `${why} ${flags.join(' ')}` : `Allowed choices are ${names.join(', ')}.`,
    );
  };

const parserOf = (name: string, flag: string, row: Row): ((text: string) => unknown) => {
  const own = PARSERS[flag.split(' ')[0]!];
  if (own) return own;
  if (row.type === 'choice') return named(name, row.names!);
  if (row.type === 'whole' || row.type === 'number') return row.names ? numberOrText : number;
  return (text) => text;
};

const helpOf = (row: Row): string => {
  const facts = [
    (row.range || row.names) && valueText(row),
    row.type !== 'flag' && !row.required && defaultText(row) && `default: ${defaultText(row)}`,
  ].filter(Boolean);
  const says = row.help ?? row.says;
  return facts.length > 0 ? `${says} (${facts.join('; ')})` : says;
};

/** A flag of the command line, and the options that it sets. */
export interface Flag {
  readonly option: Option;
  readonly names: readonly string[];
}

/** The flags of a group, in the order of its rows. */
export const flagsOf = ({ rows }: Group): readonly Flag[] => {
  const flags = new Map<string, { option: Option; names: string[] }>();
  for (const [name, row] of Object.entries(rows)) {
    const { flag } = row;
    if (typeof flag !== 'string') continue;
    const known = flags.get(flag);
    if (known) {
      known.names.push(name);
      continue;
    }
    const option = new Option(flag, helpOf(row));
    if (row.type !== 'flag') option.argParser(parserOf(name, flag, row));
    flags.set(flag, { option, names: [name] });
  }
  return [...flags.values()];
};

/** What the flags of a group say, as an object of options; what was not given is left out. */
export const optionsFrom = (group: Group, given: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const options: Record<string, unknown> = {};
  for (const { option, names } of flagsOf(group)) {
    const value = given[option.attributeName()];
    if (value === undefined) continue;
    if (names.length === 1) options[names[0]!] = value;
    else for (const [i, name] of names.entries()) options[name] = (value as readonly unknown[])[i];
  }
  return options;
};
