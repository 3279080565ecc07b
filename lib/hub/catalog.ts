import { nearest } from '../errors.js';

/** One file of a repository. */
export interface CatalogFile {
  readonly path: string;
  /** The whole hash, or its first digits as the publishers' pages show them. */
  readonly sha256?: string;
}

/** A model with a short name: where its files lie and under which terms. */
export interface CatalogRow {
  readonly title: string;
  readonly kind: 'base model' | 'VAE' | 'image encoder' | 'adapter';
  readonly base?: 'SD1.5' | 'SDXL';
  readonly repository: string;
  readonly files: readonly CatalogFile[];
  /** The folder that holds them all and is opened; absent: the one file is opened. */
  readonly folder?: string;
  /** About as many bytes; the exact number is the hub's to say. */
  readonly bytes: number;
  readonly licence: string;
  /** The image encoder that an adapter reads with. */
  readonly encoder?: 'image-encoder-vit-h' | 'image-encoder-vit-bigg';
  readonly needsFace?: true;
}

// source of repositories and file names: the publishers' pages; of sizes and hashes too
const ADAPTERS = 'h94/IP-Adapter';
const FACEID = 'h94/IP-Adapter-FaceID';
const APACHE = 'Apache-2.0';
const RESEARCH = 'non-commercial research only'; // as the InsightFace identities that they read
const VIT_H = 'image-encoder-vit-h';
const BIG_G = 'image-encoder-vit-bigg';

const MB = 1_000_000; // bytes

type Facts = Partial<Pick<CatalogRow, 'encoder' | 'needsFace'>> & { readonly sha256?: string };

const adapter = (
  title: string,
  base: 'SD1.5' | 'SDXL',
  repository: string,
  path: string,
  megabytes: number,
  { sha256, ...facts }: Facts,
): CatalogRow => ({
  title,
  kind: 'adapter',
  base,
  repository,
  files: [{ path, ...(sha256 === undefined ? {} : { sha256 }) }],
  bytes: megabytes * MB,
  licence: repository === FACEID ? RESEARCH : APACHE,
  ...facts,
});

const sd15 = (title: string, stem: string, megabytes: number, encoder: CatalogRow['encoder'] = VIT_H): CatalogRow =>
  adapter(title, 'SD1.5', ADAPTERS, `models/${stem}`, megabytes, { encoder: encoder! });
const sdxl = (title: string, stem: string, megabytes: number, encoder: CatalogRow['encoder'] = VIT_H): CatalogRow =>
  adapter(title, 'SDXL', ADAPTERS, `sdxl_models/${stem}`, megabytes, { encoder: encoder! });
const face = (title: string, base: 'SD1.5' | 'SDXL', stem: string, megabytes: number, facts: Facts = {}): CatalogRow =>
  adapter(title, base, FACEID, `${stem}.bin`, megabytes, { needsFace: true, ...facts });

const encoder = (title: string, folder: string, megabytes: number, sha256: string): CatalogRow => ({
  title,
  kind: 'image encoder',
  repository: ADAPTERS,
  files: [{ path: `${folder}/config.json` }, { path: `${folder}/model.safetensors`, sha256 }],
  folder,
  bytes: megabytes * MB,
  licence: 'Apache-2.0 (weights of OpenCLIP: MIT)',
});

const TOKENIZER = ['merges.txt', 'special_tokens_map.json', 'tokenizer_config.json', 'vocab.json'];
const tokenizer = (folder: string): CatalogFile[] => TOKENIZER.map((name) => ({ path: `${folder}/${name}` }));
const component = (folder: string, weights: string, sha256?: string): CatalogFile[] => [
  { path: `${folder}/config.json` },
  { path: `${folder}/${weights}.fp16.safetensors`, ...(sha256 === undefined ? {} : { sha256 }) },
];
const CLIP_L = '660c6f5b1abae9dc498ac2d21e1347d2abdb0cf6c0c0c8576cd796491d9a6cdd';
const COMMON = [{ path: 'model_index.json' }, { path: 'scheduler/scheduler_config.json' }];

/** Models by their short names. Face networks are not among them: their terms are the user's to accept. */
export const CATALOG = {
  sd15: {
    title: 'Stable Diffusion 1.5',
    kind: 'base model',
    base: 'SD1.5',
    repository: 'stable-diffusion-v1-5/stable-diffusion-v1-5',
    files: [
      ...COMMON,
      ...tokenizer('tokenizer'),
      ...component('text_encoder', 'model'),
      ...component('unet', 'diffusion_pytorch_model'),
      ...component('vae', 'diffusion_pytorch_model'),
    ],
    folder: '',
    bytes: 2134 * MB,
    licence: 'CreativeML Open RAIL-M',
  },
  sdxl: {
    title: 'Stable Diffusion XL base 1.0',
    kind: 'base model',
    base: 'SDXL',
    repository: 'stabilityai/stable-diffusion-xl-base-1.0',
    files: [
      ...COMMON,
      ...tokenizer('tokenizer'),
      ...tokenizer('tokenizer_2'),
      ...component('text_encoder', 'model', CLIP_L),
      ...component('text_encoder_2', 'model', 'ec310df2af79c318e24d20511b601a591ca8cd4f1fce1d8dff822a356bcdb1f4'),
      ...component(
        'unet',
        'diffusion_pytorch_model',
        '83e012a805b84c7ca28e5646747c90a243c65c8ba4f070e2d7ddc9d74661e139',
      ),
      ...component('vae', 'diffusion_pytorch_model'),
    ],
    folder: '',
    bytes: 6941 * MB,
    licence: 'CreativeML Open RAIL++-M',
  },
  'sdxl-vae-fp16-fix': {
    title: 'SDXL VAE that does not overflow in f16',
    kind: 'VAE',
    base: 'SDXL',
    repository: 'madebyollin/sdxl-vae-fp16-fix',
    files: [
      { path: 'config.json' },
      {
        path: 'diffusion_pytorch_model.safetensors',
        sha256: '1b909373b28f2137098b0fd9dbc6f97f8410854f31f84ddc9fa04b077b0ace2c',
      },
    ],
    folder: '',
    bytes: 335 * MB,
    licence: 'MIT',
  },
  [VIT_H]: encoder(
    'CLIP ViT-H image encoder',
    'models/image_encoder',
    2528,
    '6ca9667da1ca9e0b0f75e46bb030f7e011f44f86cbfb8d5a36590fcd7507b030',
  ),
  [BIG_G]: encoder(
    'CLIP ViT-bigG image encoder',
    'sdxl_models/image_encoder',
    3690,
    '657723e09f46a7c3957df651601029f66b1748afb12b419816330f16ed45d64d',
  ),
  'base-sd15': sd15('base', 'ip-adapter_sd15.safetensors', 44.6),
  'light-sd15': sd15('light', 'ip-adapter_sd15_light.safetensors', 44.6),
  'light-v11-sd15': sd15('light v1.1', 'ip-adapter_sd15_light_v11.bin', 44.6),
  'vit-g-sd15': sd15('base, reads with ViT-bigG', 'ip-adapter_sd15_vit-G.safetensors', 46.2, BIG_G),
  'plus-sd15': sd15('Plus', 'ip-adapter-plus_sd15.safetensors', 98.2),
  'plus-face-sd15': sd15('Plus, close-ups of faces', 'ip-adapter-plus-face_sd15.safetensors', 98.2),
  'full-face-sd15': sd15('full-face', 'ip-adapter-full-face_sd15.safetensors', 43.6),
  'composition-sd15': adapter(
    'composition',
    'SD1.5',
    'ostris/ip-composition-adapter',
    'ip_plus_composition_sd15.safetensors',
    98.2,
    { encoder: VIT_H },
  ),
  'faceid-sd15': face('FaceID', 'SD1.5', 'ip-adapter-faceid_sd15', 96.7),
  'faceid-plus-sd15': face('FaceID Plus', 'SD1.5', 'ip-adapter-faceid-plus_sd15', 157, {
    encoder: VIT_H,
    sha256: '252fb53e0d01',
  }),
  'faceid-plusv2-sd15': face('FaceID Plus v2', 'SD1.5', 'ip-adapter-faceid-plusv2_sd15', 157, {
    encoder: VIT_H,
    sha256: '26d0d86a1d60',
  }),
  'faceid-portrait-sd15': face('FaceID Portrait', 'SD1.5', 'ip-adapter-faceid-portrait_sd15', 64.6),
  'faceid-portrait-v11-sd15': face('FaceID Portrait v1.1', 'SD1.5', 'ip-adapter-faceid-portrait-v11_sd15', 64.6),
  'base-sdxl': sdxl('base, reads with ViT-bigG', 'ip-adapter_sdxl.safetensors', 703, BIG_G),
  'base-vit-h-sdxl': sdxl('base', 'ip-adapter_sdxl_vit-h.safetensors', 698),
  'plus-sdxl': sdxl('Plus', 'ip-adapter-plus_sdxl_vit-h.safetensors', 848),
  'plus-face-sdxl': sdxl('Plus, close-ups of faces', 'ip-adapter-plus-face_sdxl_vit-h.safetensors', 848),
  'composition-sdxl': adapter(
    'composition',
    'SDXL',
    'ostris/ip-composition-adapter',
    'ip_plus_composition_sdxl.safetensors',
    848,
    { encoder: VIT_H },
  ),
  'faceid-sdxl': face('FaceID', 'SDXL', 'ip-adapter-faceid_sdxl', 1071),
  'faceid-plusv2-sdxl': face('FaceID Plus v2', 'SDXL', 'ip-adapter-faceid-plusv2_sdxl', 1488, {
    encoder: VIT_H,
    sha256: 'c6945d82b543',
  }),
  'faceid-portrait-sdxl': face('FaceID Portrait', 'SDXL', 'ip-adapter-faceid-portrait_sdxl', 750),
  'faceid-portrait-unnorm-sdxl': face('FaceID Portrait unnorm', 'SDXL', 'ip-adapter-faceid-portrait_sdxl_unnorm', 1010),
} as const satisfies Readonly<Record<string, CatalogRow>>;

export type ModelName = keyof typeof CATALOG;

/** The short names, in the order of the catalog. */
export const modelNames = Object.keys(CATALOG) as readonly ModelName[];

/** File names in other tools' guides that are none of the publishers'. */
const ALIASES: Readonly<Record<string, ModelName>> = {
  'ip-adapter_sd15_plus': 'plus-sd15',
  'ip-adapter-sdxl_vit-h': 'base-vit-h-sdxl',
  'ip-adapter_plus_composition_sd15': 'composition-sd15',
  'ip-adapter_plus_composition_sdxl': 'composition-sdxl',
};

const bare = (name: string): string => name.toLowerCase().replace(/\.(?:safetensors|bin|pth)$/, '');
const stemOf = (path: string): string => bare(path.slice(path.lastIndexOf('/') + 1));

const byStem = new Map<string, ModelName>(
  modelNames
    .filter((name) => CATALOG[name].kind === 'adapter')
    .map((name): [string, ModelName] => [stemOf(CATALOG[name].files[0]!.path), name]),
);

/** The catalog's name for a short name or a published file's name; undefined for any other text. */
export const catalogName = (given: string): ModelName | undefined => {
  const name = bare(given);
  if (Object.hasOwn(CATALOG, name)) return name as ModelName;
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name];
  return byStem.get(name);
};

export const catalogRow = (name: ModelName): CatalogRow => CATALOG[name];

/** The short name that a text most looks like. */
export const nearestName = (given: string): string | undefined => nearest(bare(given), modelNames);
