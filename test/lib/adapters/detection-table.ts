// Every published adapter, with every encoder and none, on its own base: what attaching it must answer.

/**
 * `fits`; `unused`: accepted with the warning OPTION_CONFLICT; `wants X`: ADAPTER_ENCODER_MISMATCH that names X; `lacks X`:
 * ADAPTER_ENCODER_MISSING that names X.
 */
export type Outcome = 'fits' | 'unused' | `wants ${string}` | `lacks ${string}`;

type Outcomes = readonly [h: Outcome, g: Outcome, l336: Outcome, l224: Outcome, none: Outcome];

export interface DetectionRow {
  readonly file: string;
  /** Of test/golden/models. */
  readonly projector: string;
  readonly base: 'SD1.5' | 'SDXL' | 'Kolors';
  readonly variant: string;
  readonly lora?: true;
  readonly version?: 'v2';
  /** Whatever fits is accepted with this warning as well. */
  readonly warns?: 'ADAPTER_VERSION_ASSUMED';
  /** With ViT-H, ViT-bigG, ViT-L of 336 px, of 224 px, and without an encoder; absent: no base of ours is its own. */
  readonly outcomes?: Outcomes;
  /** Bytes of its numbers in f16, the projector of `wide` in f32. */
  readonly bytes?: number;
  readonly wide?: true;
}

const pooledH = 'ViT-H (projection 1024)';
const pooledG = 'ViT-bigG (projection 1280)';
const hiddenH = 'ViT-H (hidden 1280)';
const needs = (encoder: string, fitting: 'h' | 'g'): Outcomes => {
  const wants: Outcome = `wants ${encoder}`;
  return [fitting === 'h' ? 'fits' : wants, fitting === 'g' ? 'fits' : wants, wants, wants, `lacks ${encoder}`];
};
const POOLED_H = needs(pooledH, 'h');
const POOLED_G = needs(pooledG, 'g');
const HIDDEN_H = needs(hiddenH, 'h');
const FACE: Outcomes = ['unused', 'unused', 'unused', 'unused', 'fits'];

const sd15 = { base: 'SD1.5' } as const;
const sdxl = { base: 'SDXL' } as const;
const faceIdPlus15 = {
  ...sd15,
  projector: 'sd15-faceid-plus',
  variant: 'faceid-plus',
  lora: true,
  version: 'v2', // a guess, which the warning says
  warns: 'ADAPTER_VERSION_ASSUMED',
  outcomes: HIDDEN_H,
  bytes: 156_521_472,
} as const;
const base15 = { ...sd15, projector: 'sd15-base', variant: 'base', outcomes: POOLED_H, bytes: 44_639_232 } as const;
const plus15 = { ...sd15, projector: 'sd15-plus', variant: 'plus', outcomes: HIDDEN_H, bytes: 98_174_976 } as const;
const plusXl = {
  ...sdxl,
  projector: 'sdxl-plus-vit-h',
  variant: 'plus',
  outcomes: HIDDEN_H,
  bytes: 847_497_728,
} as const;

export const DETECTION: readonly DetectionRow[] = [
  { file: 'ip-adapter_sd15', ...base15 },
  { file: 'ip-adapter_sd15_light', ...base15 },
  {
    file: 'ip-adapter_sd15_vit-G',
    ...sd15,
    projector: 'sd15-vit-g',
    variant: 'base',
    outcomes: POOLED_G,
    bytes: 46_212_096,
  },
  { file: 'ip-adapter-plus_sd15', ...plus15 },
  { file: 'ip-adapter-plus-face_sd15', ...plus15 },
  {
    file: 'ip-adapter-full-face_sd15',
    ...sd15,
    projector: 'sd15-full-face',
    variant: 'full-face',
    outcomes: HIDDEN_H,
    bytes: 43_588_608,
  },
  {
    file: 'ip-adapter-faceid_sd15',
    ...sd15,
    projector: 'sd15-faceid',
    variant: 'faceid',
    lora: true,
    outcomes: FACE,
    bytes: 96_709_632,
  },
  { file: 'ip-adapter-faceid-plus_sd15', ...faceIdPlus15 },
  { file: 'ip-adapter-faceid-plusv2_sd15', ...faceIdPlus15 },
  {
    file: 'ip-adapter-faceid-portrait_sd15',
    ...sd15,
    projector: 'sd15-portrait',
    variant: 'faceid-portrait',
    outcomes: FACE,
    bytes: 64_582_656,
  },
  { file: 'ip-adapter_sdxl', ...sdxl, projector: 'sdxl-base', variant: 'base', outcomes: POOLED_G, bytes: 702_570_496 },
  {
    file: 'ip-adapter_sdxl_vit-h',
    ...sdxl,
    projector: 'sdxl-vit-h',
    variant: 'base',
    outcomes: POOLED_H,
    bytes: 698_376_192,
  },
  { file: 'ip-adapter-plus_sdxl_vit-h', ...plusXl },
  { file: 'ip-adapter-plus-face_sdxl_vit-h', ...plusXl },
  {
    file: 'ip-adapter-faceid_sdxl',
    ...sdxl,
    projector: 'sdxl-faceid',
    variant: 'faceid',
    lora: true,
    outcomes: FACE,
    bytes: 1_071_015_936,
  },
  {
    file: 'ip-adapter-faceid-plusv2_sdxl',
    ...sdxl,
    projector: 'sdxl-faceid-plusv2',
    variant: 'faceid-plus',
    lora: true,
    version: 'v2',
    outcomes: HIDDEN_H,
    bytes: 1_487_415_296,
  },
  {
    file: 'ip-adapter-faceid-portrait_sdxl',
    ...sdxl,
    projector: 'sdxl-portrait',
    variant: 'faceid-portrait',
    outcomes: FACE,
    bytes: 749_807_616,
  },
  {
    file: 'ip-adapter-faceid-portrait_sdxl_unnorm',
    ...sdxl,
    projector: 'sdxl-portrait-unnorm',
    variant: 'portrait-unnorm',
    outcomes: FACE,
    bytes: 1_009_488_896,
    wide: true,
  },
  { file: 'ip_plus_composition_sd15', ...plus15 },
  { file: 'ip_plus_composition_sdxl', ...plusXl },
  {
    file: 'ip_adapter_plus_general',
    base: 'Kolors',
    projector: 'kolors-plus',
    variant: 'kolors-plus',
  },
  {
    file: 'ipa-faceid-plus',
    base: 'Kolors',
    projector: 'kolors-faceid',
    variant: 'kolors-faceid-plus',
  },
];
