import { FaceError, NumericError } from '../errors.js';
import { greyOf } from '../images/grey.js';
import { hashOf } from '../images/hash.js';
import { native } from '../native/native.js';
import type { Pixels, RegionMask, Tensor } from '../native/types.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import type { AdapterParts } from './adapter.js';
import { combineOf, type ElementWise } from './combine.js';
import { readingsOf } from './embedding.js';
import type { NegativeNoise } from './negative.js';
import { PictureReader, type ReadContext } from './read-pictures.js';
import type { ReferenceSettings } from './reference.js';
import type { Sites } from './scales.js';
import { influencesOf, type Pictures, type SitePrompt, sitePrompts } from './site-prompts.js';
import { type Inputs, trustedOf } from './trusted.js';

/** What resolving needs of the run. */
export interface ResolveContext extends ReadContext {
  readonly sites: Sites;
  readonly guided: boolean;
  /** Size of what is drawn. */
  readonly picture: { readonly width: number; readonly height: number };
}

/** The image prompts of a reference, when they act aside, and what the run's record says of it. */
export interface ResolvedReference {
  readonly prompts: readonly SitePrompt[];
  /** SHA-256 of each picture in normal form. */
  readonly hashes: readonly string[];
  /** The same of the picture for the composition. */
  readonly composition?: string | undefined;
  /** The same of the mask. */
  readonly mask?: string | undefined;
  /** Weights of the faces or pictures that count, where not all are 1, and their pictures, where it is not each once. */
  readonly weights: readonly number[] | undefined;
  readonly used: readonly number[] | undefined;
  /** The same of what says what counts of the pictures. */
  readonly clipMask?: string | undefined;
  /** The same of what is steered away from, or the noise that is. */
  readonly negative?: string | Required<NegativeNoise> | undefined;
}

const vector = (data: Float32Array): Tensor => ({ shape: [1, 1, 1, data.length], data });

/** `tokens` as often as it takes to be as many as `like`: copies of the same tokens attend exactly as one does. */
const repeated = (tokens: Tensor, like: Tensor): Tensor => {
  const times = like.shape[2] / tokens.shape[2];
  if (times === 1) return tokens;
  const data = new Float32Array(tokens.data.length * times);
  for (let i = 0; i < times; ++i) data.set(tokens.data, i * tokens.data.length);
  return { shape: [1, 1, tokens.shape[2] * times, tokens.shape[3]], data };
};

class Resolver {
  readonly reader: PictureReader;

  constructor(
    readonly context: ResolveContext,
    readonly adapter: AdapterParts,
  ) {
    this.reader = new PictureReader(context, adapter);
  }

  combine(
    how: ElementWise,
    tensors: readonly Tensor[],
    weights: readonly number[],
    renormalize: boolean,
  ): Promise<Tensor> {
    const { host, stop } = this.context;
    return native(host.engine.combine(tensors, { how, weights, renormalize, stop }));
  }

  /** Length 1, but for the variant that reads the recogniser's numbers as they are. */
  async identity(raw: Float32Array): Promise<Float32Array> {
    const width = this.adapter.needs.identity;
    if (raw.length !== width) {
      throw new FaceError(
        'FACE_MODEL_MISSING',
        `The identity has ${raw.length} numbers; ${this.adapter.name} reads ${width}`,
        'Use the recogniser that the adapter was trained with',
        { details: { found: raw.length, expected: width } },
      );
    }
    if (!raw.every(Number.isFinite) || raw.every((v) => v === 0)) {
      throw new NumericError(
        'NAN_CONDITION',
        'The identity is no vector: it has NaN, infinity, or zeros alone',
        'Check the recogniser and the picture of the face',
      );
    }
    if (this.adapter.network.info.rawIdentity) return raw;
    return (await this.combine('average', [vector(raw)], [1], true)).data;
  }

  /** Tokens of a reference's pictures, by the way in which they are combined. */
  async pictures(
    inputs: Inputs,
    given: readonly number[],
    reference: ReferenceSettings,
    structureScale: number | undefined,
  ): Promise<Pictures> {
    const isOfEmbeds = reference.weightMode === 'embed';
    const { identities, features, from } = isOfEmbeds ? await this.weighed(inputs, given) : inputs;
    const weights = isOfEmbeds ? given.map(() => 1) : given;
    const how = combineOf(reference, this.adapter.row);
    if (how === 'concat' || (from.length === 1 && how !== 'separate')) {
      const tokens = await this.project({ features, identities }, structureScale);
      const own = tokens.shape[2] / weights.length; // of each
      const isPlain = how !== 'concat' || weights.every((weight) => weight === 1);
      const tokenGains = isPlain ? undefined : weights.flatMap((weight) => new Array<number>(own).fill(weight - 1));
      return [{ tokens, weight: 1, tokenGains }];
    }
    if (how === 'separate' || how === 'token average') {
      const each: Tensor[] = [];
      for (const i of from.keys()) {
        const one = { features: features && [features[i]!], identities: identities && [identities[i]!] };
        each.push(await this.project(one, structureScale));
      }
      if (how === 'separate') return each.map((tokens, i) => ({ tokens, weight: weights[i]! }));
      return [{ tokens: await this.combine('average', each, weights, false), weight: 1 }];
    }
    const unit = (reference.renormalize ?? true) && !this.adapter.network.info.rawIdentity;
    const identity = identities && (await this.combine(how, identities.map(vector), weights, unit)).data;
    const feature = features && (await this.combine(how, features, weights, false));
    const combined = { identities: identity && [identity], features: feature && [feature] };
    return [{ tokens: await this.project(combined, structureScale), weight: 1 }];
  }

  /** Each times its weight. */
  async weighed({ identities, features, ...others }: Inputs, weights: readonly number[]): Promise<Inputs> {
    const times = (one: Tensor, i: number): Promise<Tensor> => this.combine('add', [one], [weights[i]!], false);
    return {
      identities: identities && (await Promise.all(identities.map(vector).map(times))).map(({ data }) => data),
      features: features && (await Promise.all(features.map(times))),
      ...others,
    };
  }

  project(
    { features, identities }: Pick<Inputs, 'features' | 'identities'>,
    structureScale: number | undefined,
  ): Promise<Tensor> {
    const { host, stop } = this.context;
    // a linear projector may read an identity as its features
    const read = features ?? (this.adapter.row.variant === 'base' ? identities?.map(vector) : undefined);
    return native(
      host.engine.project(
        this.adapter.network,
        {
          ...(read === undefined ? {} : { features: read }),
          ...(identities === undefined ? {} : { identities }),
          ...(structureScale === undefined ? {} : { structureScale }),
        },
        { stop },
      ),
    );
  }

  /**
   * Tokens of no picture, as in training: a zero vector, or the states of an all-zero pixel tensor. A picture takes its place
   * where the reference has a negative one or asks for black.
   */
  async unconditional(
    negative: Pixels | undefined,
    reference: ReferenceSettings,
    structureScale: number | undefined,
  ): Promise<Tensor> {
    const { needs, encoder, unconditional } = this.adapter;
    const isBlack = reference.uncond === 'black' && encoder?.need.output === 'penultimate';
    const picture = encoder && (negative ?? (isBlack ? BLACK : undefined));
    const key = negative ? undefined : `${structureScale}${isBlack ? ' black' : ''}`;
    const known = key === undefined ? undefined : unconditional.get(key);
    if (known) return known;
    const zeros = (width: number): Float32Array => new Float32Array(width);
    const features =
      encoder &&
      (picture
        ? await this.reader.encode([picture], reference)
        : encoder.need.output === 'image_embeds'
          ? [vector(zeros(encoder.need.width))]
          : await this.reader.encode([null]));
    const identities = needs.identity > 0 ? [zeros(needs.identity)] : undefined;
    const tokens = await this.project({ features, identities }, structureScale);
    if (key !== undefined) unconditional.set(key, tokens);
    return tokens;
  }
}

const BLACK: Pixels = { data: new Uint8Array(3), width: 1, height: 1 };

const ASPECT = 0.02; // of the picture's: a pixel or two of rounding

/** The mask of a reference; it is stretched over the picture, which is warned of. */
const regionOf = async (
  { picture, warn }: ResolveContext,
  { mask, maskMode = defaultOf(REFERENCE, 'maskMode') }: ReferenceSettings,
  pixels: Pixels,
): Promise<{ readonly mask: RegionMask; readonly hash: string }> => {
  const { width, height } = pixels;
  if (Math.abs((width * picture.height) / (height * picture.width) - 1) > ASPECT) {
    const sizes = `${width} × ${height} and the picture ${picture.width} × ${picture.height}`;
    warn('OPTION_CONFLICT', `${mask!.option} is ${sizes}: it is stretched over it`);
  }
  return { mask: { data: await greyOf(pixels), width, height, mode: maskMode }, hash: hashOf(pixels) };
};

/** Turns pictures into image tokens, with their scales. */
export const resolveReference = async (
  context: ResolveContext,
  reference: ReferenceSettings,
  adapter: AdapterParts,
): Promise<ResolvedReference> => {
  const resolver = new Resolver(context, adapter);
  const { reader } = resolver;
  const readings = reference.embedding ? readingsOf(reference.embedding) : await reader.read(reference);
  const identities =
    readings.identities && (await Promise.all(readings.identities.map((raw) => resolver.identity(raw))));
  const trusted = trustedOf({ ...readings, identities }, reference, adapter.row, context.warn);
  const structureScale =
    adapter.version === 'v2' ? (reference.structureScale ?? defaultOf(REFERENCE, 'structureScale')) : undefined;
  const pictures = await resolver.pictures(trusted.inputs, trusted.weights, reference, structureScale);
  const readsFaces = adapter.needs.identity > 0;
  const composing =
    readsFaces || !reference.compositionImage ? undefined : await reader.decode(reference.compositionImage);
  const composition =
    composing &&
    (await resolver.project(
      { features: await reader.encode([composing], reference), identities: undefined },
      structureScale,
    ));
  const negative = context.guided && adapter.encoder ? await reader.negative(reference) : undefined;
  const none = context.guided ? await resolver.unconditional(negative?.picture, reference, structureScale) : undefined;
  const region = reference.mask && (await regionOf(context, reference, await reader.decode(reference.mask)));
  const unconditional = none && ((like: Tensor): Tensor => repeated(none, like));
  return {
    prompts: sitePrompts(
      adapter.network,
      { pictures, composition, unconditional },
      influencesOf(reference, context.sites),
      {
        ...(region && { mask: region.mask }),
        embedsScaling: reference.embedsScaling ?? defaultOf(REFERENCE, 'embedsScaling'),
        widths: context.sites.map((site) => site.width),
      },
    ),
    ...(region && { mask: region.hash }),
    weights: trusted.recorded,
    used: trusted.used,
    clipMask: readings.clipMask,
    negative: negative?.record,
    hashes: readings.hashes,
    composition: composing && hashOf(composing),
  };
};
