import { OptionError } from '../errors.js';
import type { NetworkHandle, SampleSpec, Tensor } from '../native/types.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import { type EmbedsScaling, gainsOf } from './embeds-scaling.js';
import type { ReferenceSettings } from './reference.js';
import { type Sites, siteScales } from './scales.js';
import { compositionLayers, layersOf, partsOf } from './weight-types.js';

type Prompt = SampleSpec['prompts'][number];

/** What a cross-attention does with a reference. */
export interface SiteInfluence {
  readonly scale: number;
  /** It reads the composition image. */
  readonly composition: boolean;
  /** Its halves are changed over: see Layer. */
  readonly swapped: boolean;
}

/** What every cross-attention of a model does with a reference, in execution order. */
export const influencesOf = (reference: ReferenceSettings, sites: Sites): readonly SiteInfluence[] => {
  const { option, scale, weightType: type = defaultOf(REFERENCE, 'weightType') } = reference;
  const scales = siteScales(scale, sites, `${option}.scale`);
  const parts = partsOf(sites);
  const composed = reference.compositionImage ? compositionLayers(parts, `${option}.compositionImage`) : [];
  if (type === 'linear')
    return sites.map(({ index }, i) => ({
      scale: scales[i]!,
      composition: composed.includes(index),
      swapped: false,
    }));
  if (typeof scale !== 'number') {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option}.weightType "${type}" spreads one number, and scale is given by block`,
      'Give scale as a number, or leave weightType out',
      { details: { option: `${option}.weightType` } },
    );
  }
  const { compositionScale = scale, boost = scale } = reference;
  const layers = layersOf(type, parts, { scale, compositionScale, boost }, `${option}.weightType`);
  return sites.map(({ index }) => {
    const { weight, swapped } = layers[index]!;
    return { scale: weight, composition: composed.includes(index), swapped };
  });
};

/** Image tokens, each with what its scales are multiplied by, and what its tokens' values gain. */
export type Pictures = readonly {
  readonly tokens: Tensor;
  readonly weight: number;
  readonly tokenGains?: readonly number[] | undefined;
}[];

/** An image prompt, when it acts aside: that is a pass's. */
export type SitePrompt = Omit<Prompt, 'window'>;

/** Where and how the image prompts of a reference act. */
export interface Acts extends Pick<Prompt, 'mask'> {
  readonly embedsScaling: EmbedsScaling;
  /** Channels of every cross-attention. */
  readonly widths: readonly number[];
}

/** Image tokens of a reference. */
export interface ReferenceTokens {
  /** Of which each attends for itself. */
  readonly pictures: Pictures;
  readonly composition?: Tensor | undefined;
  /** Of no picture, as many as `like`; absent without guidance. */
  readonly unconditional: ((like: Tensor) => Tensor) | undefined;
}

const zerosLike = ({ shape, data }: Tensor): Tensor => ({ shape, data: new Float32Array(data.length) });

/** Scales of every cross-attention, or 1 with gains of keys and values in their place. */
const scaled = (scales: readonly number[], { embedsScaling, widths }: Acts): Pick<Prompt, 'scales' | 'siteGains'> => {
  const gains = scales.map((scale, i) => gainsOf(embedsScaling, scale, widths[i]!));
  if (gains.includes(undefined)) return { scales };
  return { scales: scales.map((scale) => (scale === 0 ? 0 : 1)), siteGains: gains.flatMap((gain) => gain!) };
};

/**
 * The image prompts that a reference becomes: one for each picture that attends for itself and each kind of tokens that
 * cross-attentions read. Each is off at the sites of the other kinds.
 */
export const sitePrompts = (
  adapter: NetworkHandle,
  { pictures, composition, unconditional }: ReferenceTokens,
  influences: readonly SiteInfluence[],
  acts: Acts,
): SitePrompt[] => {
  const prompts: SitePrompt[] = [];
  const { mask } = acts;
  const add = (
    { tokens, weight, tokenGains }: Pictures[number],
    reads: (site: SiteInfluence) => boolean,
    swapped: boolean,
  ): void => {
    const scales = influences.map((site) => (reads(site) && site.swapped === swapped ? weight * site.scale : 0));
    if (!scales.some((scale) => scale !== 0) || (swapped && !unconditional)) return;
    const negativeTokens = swapped ? tokens : unconditional?.(tokens);
    prompts.push({
      adapter,
      tokens: swapped ? zerosLike(tokens) : tokens,
      ...(negativeTokens && { negativeTokens }),
      ...scaled(scales, acts),
      ...(tokenGains && { tokenGains }),
      ...(mask && { mask }),
    });
  };
  for (const swapped of [false, true]) {
    for (const picture of pictures) add(picture, (site) => !site.composition || !composition, swapped);
    if (composition) add({ tokens: composition, weight: 1 }, (site) => site.composition, swapped);
  }
  return prompts;
};
