import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ModelFileError, quoted } from '../errors.js';
import { kindAt, readJson, stem } from '../files.js';
import type { LoadSpec } from '../native.js';
import { type ClipTokenizer, loadTokenizer, publicTokenizer } from '../prompt/index.js';
import { publicConfigs, readSchedulerConfig, type SchedulerConfig } from '../schedulers/index.js';
import { weightsIn } from './weights.js';

/** A network of a model, ready to be loaded. */
export type Part = Pick<LoadSpec, 'kind' | 'source' | 'config' | 'encoder'>;

/** A text encoder and what cuts prompts into its tokens. */
export interface TextPart {
  readonly part: Part;
  readonly tokenizer: () => Promise<ClipTokenizer>;
}

/** Where the parts of a model are, before any is loaded. */
export interface ModelFiles {
  readonly name: string;
  /** A diffusers folder; undefined for a single file. */
  readonly folder: string | undefined;
  readonly unet: Part;
  readonly vae: Part;
  /** One (SD1.5) or two (SDXL), which of a single file only its UNet tells. */
  readonly text: (isXl: boolean) => readonly TextPart[];
  readonly scheduler: (isXl: boolean) => SchedulerConfig;
  /** The VAE's scaling factor, when the model says it. */
  readonly scalingFactor: number | undefined;
  /** Latent columns that the model was trained at, when it says so. */
  readonly sampleSize: number | undefined;
  /** An absent negative prompt is a context of zeros. */
  readonly zeroNegative: boolean;
}

const isComponent = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((name) => typeof name === 'string');

const noPart = (folder: string, what: string, hint: string): ModelFileError =>
  new ModelFileError('MODEL_NOT_FOUND', `${quoted(folder)} ${what}`, hint, { details: { path: folder } });

const partIn = async (folder: string, name: string, kind: Part['kind'], bases: readonly string[]): Promise<Part> => {
  const at = join(folder, name);
  const path = await weightsIn(at, bases);
  if (path === undefined) {
    throw noPart(
      at,
      `has no weights; looked for ${bases.map((base) => `${base}.safetensors and ${base}.bin`).join(', ')}`,
      'Download the whole model folder',
    );
  }
  const config = await readJson(join(at, 'config.json'));
  return { kind, source: { path }, ...(config === undefined ? {} : { config }) };
};

const publicScheduler = (isXl: boolean): SchedulerConfig => (isXl ? publicConfigs.sdxl : publicConfigs.sd15);

const numberIn = (config: Readonly<Record<string, unknown>> | undefined, key: string): number | undefined => {
  const value = config?.[key];
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
};

/** The folder's own; undefined when it has none. */
const schedulerIn = async (folder: string): Promise<SchedulerConfig | undefined> => {
  const path = join(folder, 'scheduler', 'scheduler_config.json');
  try {
    return readSchedulerConfig(await readFile(path, 'utf8'), path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
};

const folderFiles = async (folder: string): Promise<ModelFiles> => {
  const index = await readJson(join(folder, 'model_index.json'));
  if (!index)
    throw noPart(
      folder,
      'has no model_index.json: it is no diffusers folder',
      'Give the folder that holds model_index.json, or one checkpoint file',
    );
  for (const name of ['unet', 'vae', 'text_encoder']) {
    const refined = name === 'text_encoder' && isComponent(index.text_encoder_2);
    if (isComponent(index[name])) continue;
    throw new ModelFileError(
      'MODEL_FORMAT_UNSUPPORTED',
      refined ? `${quoted(folder)} is an SDXL refiner` : `${quoted(folder)} has no ${name}`,
      'Stable Diffusion 1.5 and SDXL base load, and models of their topology',
      { details: { path: folder, component: name } },
    );
  }
  const networks = ['diffusion_pytorch_model'];
  const towers = ['model', 'pytorch_model'];
  const unet = await partIn(folder, 'unet', 'unet', networks);
  const vae = await partIn(folder, 'vae', 'vae', networks);
  const text = [
    {
      part: await partIn(folder, 'text_encoder', 'clip_text', towers),
      tokenizer: () => loadTokenizer(join(folder, 'tokenizer')),
    },
  ];
  if (isComponent(index.text_encoder_2)) {
    text.push({
      part: await partIn(folder, 'text_encoder_2', 'clip_text', towers),
      tokenizer: () => loadTokenizer(join(folder, 'tokenizer_2')),
    });
  }
  const scheduler = await schedulerIn(folder);
  return {
    name: basename(folder),
    folder,
    unet,
    vae,
    text: () => text,
    scheduler: (isXl) => scheduler ?? publicScheduler(isXl),
    scalingFactor: numberIn(vae.config, 'scaling_factor'),
    sampleSize: numberIn(unet.config, 'sample_size'),
    zeroNegative: index.force_zeros_for_empty_prompt === true,
  };
};

const singleFile = (path: string): ModelFiles => {
  const source = { path, dialect: 'ldm' } as const;
  const tower = (encoder: number): Part => ({ kind: 'clip_text', source, encoder });
  return {
    name: stem(path),
    folder: undefined,
    unet: { kind: 'unet', source },
    vae: { kind: 'vae', source },
    text: (isXl) => [
      { part: tower(0), tokenizer: () => publicTokenizer() },
      ...(isXl ? [{ part: tower(1), tokenizer: () => publicTokenizer('!') }] : []),
    ],
    scheduler: publicScheduler,
    scalingFactor: undefined,
    sampleSize: undefined,
    zeroNegative: true, // of SDXL base; SD1.5 has no such rule
  };
};

/** The parts of a model: a diffusers folder, or one checkpoint file, told apart by looking. */
export const modelFiles = async (path: string): Promise<ModelFiles> => {
  const kind = await kindAt(path);
  if (kind === 'folder') return folderFiles(path);
  // what is no plain file is refused by the reader, with its own words
  if (kind !== undefined) return singleFile(path);
  throw new ModelFileError('MODEL_NOT_FOUND', `There is no model at ${quoted(path)}`, 'Check the path', {
    details: { path },
  });
};
