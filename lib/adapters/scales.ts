import { OptionError } from '../errors.js';
import type { NetworkInfo } from '../native/types.js';
import { expectedFor, shown } from '../options/check.js';

/** One number for a block, or one per transformer in it. */
export type BlockScale = number | readonly number[];

/**
 * Scales by block, in diffusers' notation; what is not mentioned is 0.
 *
 * @example
 * const style: ScaleByBlock = { up: { block_1: [0, 1, 0] } }
 */
export interface ScaleByBlock {
  readonly down?: number | Readonly<Record<string, BlockScale>>;
  readonly mid?: BlockScale;
  readonly up?: number | Readonly<Record<string, BlockScale>>;
}

/**
 * Strength of an image prompt, −1…5: one number; by block; a flat list with one entry per cross-attention or per
 * transformer in execution order (`null`: off); or text, `"3:2.5, 6:1"`, by transformer (others off).
 */
export type Scale = number | ScaleByBlock | readonly (number | null)[] | string;

export type Sites = NonNullable<NetworkInfo['sites']>;

const LEAST = -1;
const MOST = 5;

const inRange = (value: unknown, option: string): number => {
  if (typeof value !== 'number')
    throw expectedFor('OPTION_TYPE', option, `a number from ${LEAST} to ${MOST}`, value, 'Give scale such as 0.7');
  if (!(value >= LEAST && value <= MOST)) {
    throw expectedFor('OPTION_RANGE', option, `a number from ${LEAST} to ${MOST}`, value, 'Give scale such as 0.7');
  }
  return value;
};

interface Place {
  readonly part: string; // down, mid, up
  readonly block: string; // block_1
  readonly transformer: number; // within its block
}

const placeOf = (path: string): Place => {
  const [, part = '', block = '0', transformer = '0'] =
    /^(down|up|mid)_blocks?(?:\.(\d+))?\.attentions\.(\d+)\./.exec(path) ?? [];
  return { part, block: `block_${block}`, transformer: Number(transformer) };
};

const fromList = (list: readonly unknown[], sites: Sites, option: string): number[] => {
  const transformers = Math.max(...sites.map((site) => site.index)) + 1;
  if (list.length !== sites.length && list.length !== transformers) {
    const lengths = sites.length === transformers ? `${sites.length}` : `${sites.length} or ${transformers}`;
    throw expectedFor(
      'OPTION_RANGE',
      option,
      `a list of ${lengths} scales`,
      list,
      'Give one scale per cross-attention, in execution order',
    );
  }
  const values = list.map((value, i) => (value === null ? 0 : inRange(value, `${option}[${i}]`)));
  return sites.map((site, i) => values[list.length === sites.length ? i : site.index]!);
};

const fromText = (text: string, sites: Sites, option: string): number[] => {
  const transformers = Math.max(...sites.map((site) => site.index)) + 1;
  const values = new Array<number>(transformers).fill(0);
  for (const entry of text.split(',')) {
    const match = /^\s*(\d{1,3})\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/.exec(entry);
    if (!match) {
      throw new OptionError(
        'OPTION_TYPE',
        `Expected a number from ${LEAST} to ${MOST} for ${option} but received ${shown(text)}`,
        'As text, write pairs of transformer and scale such as "3:2.5, 6:1"',
        { details: { option, found: shown(text) } },
      );
    }
    const index = Number(match[1]);
    if (index >= transformers) {
      throw expectedFor(
        'OPTION_RANGE',
        option,
        `transformers from 0 to ${transformers - 1}`,
        text,
        'Use the indices of this model',
      );
    }
    values[index] = inRange(Number(match[2]), option);
  }
  return sites.map((site) => values[site.index]!);
};

const fromBlocks = (blocks: Readonly<Record<string, unknown>>, sites: Sites, option: string): number[] => {
  const places = sites.map((site) => placeOf(site.path));
  const result = new Array<number>(sites.length).fill(0);
  const assign = (value: unknown, where: (place: Place) => boolean, name: string): void => {
    const chosen = places.flatMap((place, i) => (where(place) ? [i] : []));
    const size = Math.max(...chosen.map((i) => places[i]!.transformer)) + 1;
    const list = Array.isArray(value) ? (value as unknown[]) : [value];
    if (list.length !== 1 && list.length !== size) {
      throw expectedFor(
        'OPTION_RANGE',
        name,
        `one scale or a list of ${size}`,
        value,
        'Give one scale per transformer of the block',
      );
    }
    for (const i of chosen) result[i] = inRange(list[list.length === 1 ? 0 : places[i]!.transformer], name);
  };
  for (const [part, value] of Object.entries(blocks)) {
    const name = `${option}.${part}`;
    const legal = [...new Set(places.filter((place) => place.part === part).map((place) => place.block))];
    if (legal.length === 0) {
      throw new OptionError('OPTION_UNKNOWN', `There is no part ${shown(part)} in ${option}`, 'Use down, mid and up', {
        details: { option: name },
      });
    }
    if (typeof value !== 'object' || value === null || part === 'mid') {
      if (part !== 'mid' && Array.isArray(value))
        throw expectedFor('OPTION_TYPE', name, 'a number or scales by block', value);
      assign(value, (place) => place.part === part, name);
      continue;
    }
    if (Array.isArray(value))
      throw expectedFor('OPTION_TYPE', name, 'a number or scales by block', value, 'Write { block_1: [0, 1, 0] }');
    for (const [block, scale] of Object.entries(value)) {
      if (!legal.includes(block)) {
        throw new OptionError(
          'OPTION_UNKNOWN',
          `There is no block ${shown(block)} in ${name}`,
          `Use one of ${legal.join(', ')}`,
          {
            details: { option: `${name}.${block}` },
          },
        );
      }
      assign(scale, (place) => place.part === part && place.block === block, `${name}.${block}`);
    }
  }
  return result;
};

/** Any notation as one scale per cross-attention, in execution order. */
export const siteScales = (scale: unknown, sites: Sites, option: string): number[] => {
  if (typeof scale === 'string') return fromText(scale, sites, option);
  if (Array.isArray(scale)) return fromList(scale, sites, option);
  if (typeof scale === 'object' && scale !== null) return fromBlocks(scale as Record<string, unknown>, sites, option);
  const value = inRange(scale, option);
  return sites.map(() => value);
};
