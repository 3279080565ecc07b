import type { NetworkInfo } from '../native/types.js';

/** What is true of a variant beyond its tensors: names, licence, how several pictures are joined. */
export interface VariantRow {
  readonly title: string;
  /** Several pictures: their tokens side by side, or their features averaged before the projector. */
  readonly several: 'concat' | 'average';
  /** Weak without a LoRA inside. */
  readonly needsLora: boolean;
  readonly licence: string;
  /** Scales that the authors and users recommend. */
  readonly hint: string;
}

const APACHE = 'IP-Adapter weights: Apache-2.0';
const RESEARCH = 'IP-Adapter FaceID weights: non-commercial research only';
const KOLORS = 'Kolors weights: see the Kolors licence';

const VARIANTS = {
  base: {
    title: 'base',
    several: 'concat',
    needsLora: false,
    licence: APACHE,
    hint: '1 with the picture alone, 0.5 to 0.8 with a prompt',
  },
  plus: { title: 'Plus', several: 'concat', needsLora: false, licence: APACHE, hint: '0.5 to 0.8' },
  'full-face': { title: 'full-face', several: 'concat', needsLora: false, licence: APACHE, hint: '0.5 to 0.7' },
  faceid: { title: 'FaceID', several: 'average', needsLora: true, licence: RESEARCH, hint: '0.6 to 1' },
  'faceid-plus': { title: 'FaceID Plus', several: 'average', needsLora: true, licence: RESEARCH, hint: '0.6 to 1' },
  'faceid-portrait': {
    title: 'FaceID Portrait',
    several: 'concat',
    needsLora: false,
    licence: RESEARCH,
    hint: '0.6 to 1, several pictures of one person',
  },
  'portrait-unnorm': {
    title: 'FaceID Portrait unnorm',
    several: 'concat',
    needsLora: false,
    licence: RESEARCH,
    hint: 'very strong: guidanceScale 3 to 4',
  },
  'kolors-plus': { title: 'Kolors Plus', several: 'concat', needsLora: false, licence: KOLORS, hint: '0.5' },
  'kolors-faceid-plus': {
    title: 'Kolors FaceID Plus',
    several: 'average',
    needsLora: false,
    licence: KOLORS,
    hint: '0.8',
  },
} as const satisfies Record<string, VariantRow>;

/** What an adapter can be. */
export type Variant = keyof typeof VARIANTS;

/** The row of the variant that the addon detected. */
export const variantRow = (variant: string | undefined): VariantRow & { readonly variant: Variant } => {
  const known: Variant = variant !== undefined && Object.hasOwn(VARIANTS, variant) ? (variant as Variant) : 'base';
  return { variant: known, ...VARIANTS[known] };
};

/** What an adapter needs of a CLIP image encoder. */
export interface EncoderNeed {
  readonly output: 'image_embeds' | 'penultimate';
  /** Of `image_embeds`: the projection; of `penultimate`: the hidden size. */
  readonly width: number;
}

/** Inputs of the projector. */
export interface Needs {
  readonly encoder: EncoderNeed | undefined;
  /** Width of the identity vector, 0 for none. */
  readonly identity: number;
}

/**
 * What the projector reads. A width of 512 means an identity, as no public encoder is so narrow, unless an encoder of that
 * width was given.
 */
export const needsOf = (info: NetworkInfo, isEncoderOfThatWidth: boolean): Needs => {
  const { encoderOutput = 'none', encoderWidth = 0, identityWidth = 0 } = info;
  const asked: EncoderNeed | undefined =
    encoderOutput === 'none' ? undefined : { output: encoderOutput, width: encoderWidth };
  if (identityWidth === 0 || asked === undefined) return { encoder: asked, identity: identityWidth };
  const isBoth = info.variant === 'faceid-plus' || info.variant === 'kolors-faceid-plus';
  if (isBoth) return { encoder: asked, identity: identityWidth };
  return isEncoderOfThatWidth ? { encoder: asked, identity: 0 } : { encoder: undefined, identity: identityWidth };
};

const MODELS = {
  'image_embeds 1024': 'ViT-H',
  'image_embeds 1280': 'ViT-bigG',
  'image_embeds 768': 'ViT-L',
  'penultimate 1280': 'ViT-H',
  'penultimate 1664': 'ViT-bigG',
  'penultimate 1024': 'ViT-L',
} as const;

/** Which public encoder has those widths; `other` where none has. */
export const encoderModel = (need: EncoderNeed | undefined): (typeof MODELS)[keyof typeof MODELS] | 'none' | 'other' =>
  need === undefined ? 'none' : (MODELS[`${need.output} ${need.width}` as keyof typeof MODELS] ?? 'other');

/** An encoder's name by its widths, for messages. */
export const encoderName = (need: EncoderNeed): string => {
  const what = `${need.output === 'image_embeds' ? 'projection' : 'hidden'} ${need.width}`;
  const name = encoderModel(need);
  return name === 'other' ? `an encoder of ${what}` : `${name} (${what})`;
};
