import type { Variant } from './variants.js';

/** A published adapter: what its tensors say, and what it is called elsewhere. */
export interface Published {
  /** Names of its file, without ending; the first is the publisher's. */
  readonly files: readonly string[];
  readonly variant: Variant;
  readonly base: 'SD1.5' | 'SDXL' | 'Kolors';
  /** The CLIP encoder that its projector reads. */
  readonly encoder: 'ViT-H' | 'ViT-bigG' | 'ViT-L' | 'none';
  /** Of FaceID Plus: which its tensors cannot tell. */
  readonly version?: 'v1' | 'v2';
  /** Trained on close-ups of one face. */
  readonly closeUp?: true;
  /** Name in the unified loaders of ComfyUI_IPAdapter_plus. */
  readonly comfy?: string;
  /** Preprocessors of sd-webui-controlnet: the label of today, then older names. */
  readonly a1111: readonly string[];
}

// sd-webui-controlnet renamed its preprocessors after encoders; the three old names mean two encoders
const CLIP_H = ['ip-adapter_clip_h', 'ip-adapter_clip_sd15', 'ip-adapter_clip_sdxl_plus_vith'];
const CLIP_G = ['ip-adapter_clip_g', 'ip-adapter_clip_sdxl'];
const FACE_ID = ['ip-adapter_face_id'];
const FACE_ID_PLUS = ['ip-adapter_face_id_plus'];

const STANDARD = 'STANDARD (medium strength)';
const VIT_G = 'VIT-G (medium strength)';
const PLUS = 'PLUS (high strength)';
const PLUS_FACE = 'PLUS FACE (portraits)';
const COMPOSITION = 'Composition';
const FACEID_PLUS_V2 = 'FACEID PLUS V2';
const PORTRAIT = 'FACEID PORTRAIT (style transfer)';

const base = (encoder: 'ViT-H' | 'ViT-bigG') =>
  ({ variant: 'base', encoder, a1111: encoder === 'ViT-H' ? CLIP_H : CLIP_G }) as const;
const plus = { variant: 'plus', encoder: 'ViT-H', a1111: CLIP_H } as const;
const faceId = { variant: 'faceid', encoder: 'none', a1111: FACE_ID, comfy: 'FACEID' } as const;
const faceIdPlus = { variant: 'faceid-plus', encoder: 'ViT-H', a1111: FACE_ID_PLUS } as const;
const portrait = { variant: 'faceid-portrait', encoder: 'none', a1111: FACE_ID, comfy: PORTRAIT } as const;

/** The published adapters. Which of them a file is never follows from its name: the tensors decide. */
export const PUBLISHED: readonly Published[] = [
  { files: ['ip-adapter_sd15'], base: 'SD1.5', ...base('ViT-H'), comfy: STANDARD },
  {
    files: ['ip-adapter_sd15_light', 'ip-adapter_sd15_light_v11'],
    base: 'SD1.5',
    ...base('ViT-H'),
    comfy: 'LIGHT - SD1.5 only (low strength)',
  },
  { files: ['ip-adapter_sd15_vit-G'], base: 'SD1.5', ...base('ViT-bigG'), comfy: VIT_G },
  { files: ['ip-adapter-plus_sd15', 'ip-adapter_sd15_plus'], base: 'SD1.5', ...plus, comfy: PLUS },
  { files: ['ip-adapter-plus-face_sd15'], base: 'SD1.5', ...plus, closeUp: true, comfy: PLUS_FACE },
  {
    files: ['ip-adapter-full-face_sd15'],
    variant: 'full-face',
    base: 'SD1.5',
    encoder: 'ViT-H',
    closeUp: true,
    comfy: 'FULL FACE - SD1.5 only (portraits stronger)',
    a1111: CLIP_H,
  },
  { files: ['ip-adapter-faceid_sd15'], base: 'SD1.5', ...faceId },
  {
    files: ['ip-adapter-faceid-plus_sd15'],
    base: 'SD1.5',
    ...faceIdPlus,
    version: 'v1',
    comfy: 'FACEID PLUS - SD1.5 only',
  },
  { files: ['ip-adapter-faceid-plusv2_sd15'], base: 'SD1.5', ...faceIdPlus, version: 'v2', comfy: FACEID_PLUS_V2 },
  { files: ['ip-adapter-faceid-portrait_sd15', 'ip-adapter-faceid-portrait-v11_sd15'], base: 'SD1.5', ...portrait },
  { files: ['ip-adapter_sdxl'], base: 'SDXL', ...base('ViT-bigG'), comfy: VIT_G },
  { files: ['ip-adapter_sdxl_vit-h', 'ip-adapter-sdxl_vit-h'], base: 'SDXL', ...base('ViT-H'), comfy: STANDARD },
  { files: ['ip-adapter-plus_sdxl_vit-h'], base: 'SDXL', ...plus, comfy: PLUS },
  { files: ['ip-adapter-plus-face_sdxl_vit-h'], base: 'SDXL', ...plus, closeUp: true, comfy: PLUS_FACE },
  { files: ['ip-adapter-faceid_sdxl'], base: 'SDXL', ...faceId },
  { files: ['ip-adapter-faceid-plusv2_sdxl'], base: 'SDXL', ...faceIdPlus, version: 'v2', comfy: FACEID_PLUS_V2 },
  { files: ['ip-adapter-faceid-portrait_sdxl'], base: 'SDXL', ...portrait },
  {
    files: ['ip-adapter-faceid-portrait_sdxl_unnorm'],
    variant: 'portrait-unnorm',
    base: 'SDXL',
    encoder: 'none',
    comfy: 'FACEID PORTRAIT UNNORM - SDXL only (strong)',
    a1111: [],
  },
  {
    files: ['ip_plus_composition_sd15', 'ip-adapter_plus_composition_sd15'],
    base: 'SD1.5',
    ...plus,
    comfy: COMPOSITION,
  },
  {
    files: ['ip_plus_composition_sdxl', 'ip-adapter_plus_composition_sdxl'],
    base: 'SDXL',
    ...plus,
    comfy: COMPOSITION,
  },
  {
    files: ['ip_adapter_plus_general', 'Kolors-IP-Adapter-Plus'],
    variant: 'kolors-plus',
    base: 'Kolors',
    encoder: 'ViT-L',
    comfy: 'Kolors',
    a1111: [],
  },
  {
    files: ['ipa-faceid-plus'],
    variant: 'kolors-faceid-plus',
    base: 'Kolors',
    encoder: 'ViT-L',
    version: 'v2',
    a1111: [],
  },
];
