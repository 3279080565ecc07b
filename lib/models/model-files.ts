import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ModelFileError, quoted } from '../errors.js';
import { kindAt, readJson, stem } from '../files/files.js';
import { weightsIn } from '../files/weights.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { FileInfo, LoadSpec, Stop } from '../native/types.js';
import { type ClipTokenizer, loadTokenizer, publicTokenizer } from '../prompt/index.js';
import { publicConfigs, readSchedulerConfig, type SchedulerConfig } from '../schedulers/index.js';
import { defaultModel } from './default-model.js';
import { checkSingleFile } from './single-file.js';

/** A network of a model, ready to be loaded. */
export type Part = Pick<LoadSpec, 'kind' | 'source' | 'config' | 'encoder'>;

/** A text encoder and what cuts prompts into its tokens. */
export interface TextPart {
  readonly part: Part;
  readonly tokenizer: () => Promise<ClipTokenizer>;
  /** Its folder; undefined: the public vocabulary. */
  readonly tokenizerFolder: string | undefined;
}

/** Where the parts of a model are, before any is loaded. */
export interface ModelFiles {
  readonly name: string;
  /** A diffusers folder; undefined for a single file. */
  readonly folder: string | undefined;
  /** Whether it has SDXL's two text encoders, by its names. */
  readonly isXl: boolean;
  /** Where the family's defaults.json may lie: in this folder, or above it. */
  readonly family: string;
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
    const kind = typeof index._class_name === 'string' ? ` and is of another kind: ${quoted(index._class_name)}` : '';
    throw new ModelFileError(
      'MODEL_FORMAT_UNSUPPORTED',
      refined ? `${quoted(folder)} is an SDXL refiner` : `${quoted(folder)} has no ${name}${kind}`,
      'Stable Diffusion 1.5 and SDXL base load, and models of their topology',
      { details: { path: folder, component: name } },
    );
  }
  const networks = ['diffusion_pytorch_model'];
  const towers = ['model', 'pytorch_model'];
  const unet = await partIn(folder, 'unet', 'unet', networks);
  const vae = await partIn(folder, 'vae', 'vae', networks);
  const text: TextPart[] = [
    {
      part: await partIn(folder, 'text_encoder', 'clip_text', towers),
      tokenizer: () => loadTokenizer(join(folder, 'tokenizer')),
      tokenizerFolder: join(folder, 'tokenizer'),
    },
  ];
  if (isComponent(index.text_encoder_2)) {
    text.push({
      part: { ...(await partIn(folder, 'text_encoder_2', 'clip_text', towers)), encoder: 1 },
      tokenizer: () => loadTokenizer(join(folder, 'tokenizer_2')),
      tokenizerFolder: join(folder, 'tokenizer_2'),
    });
  }
  const scheduler = await schedulerIn(folder);
  return {
    name: basename(folder),
    folder,
    isXl: text.length > 1,
    family: folder,
    unet,
    vae,
    text: () => text,
    scheduler: (isXl) => scheduler ?? publicScheduler(isXl),
    scalingFactor: numberIn(vae.config, 'scaling_factor'),
    sampleSize: numberIn(unet.config, 'sample_size'),
    zeroNegative: index.force_zeros_for_empty_prompt === true,
  };
};

/** What the tensors of a checkpoint file cannot tell, by family. */
interface FileFacts {
  readonly unet?: Part['config'];
  readonly vae?: Part['config'];
  readonly text?: Part['config'];
  readonly scheduler: (isXl: boolean) => SchedulerConfig;
  readonly tokenizer: (encoder: number) => Promise<ClipTokenizer>;
  /** Folder whose family the file belongs to, for its defaults. */
  readonly folder?: string;
}

const publicFacts: FileFacts = {
  scheduler: publicScheduler,
  tokenizer: (encoder) => publicTokenizer(encoder === 0 ? undefined : '!'),
};

/** The bundled family's checkpoints are known by their shapes, as SD1.5's and SDXL's are: tensors and their shapes. */
const BUNDLED_SHAPES: Readonly<Record<string, readonly number[]>> = {
  'model.diffusion_model.input_blocks.0.0.weight': [32, 4, 3, 3],
  'model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight': [128, 128],
  'cond_stage_model.transformer.text_model.embeddings.token_embedding.weight': [845, 128],
};

const isBundled = ({ tensors }: FileInfo): boolean =>
  Object.entries(BUNDLED_SHAPES).every(([name, shape]) => {
    const found = tensors.find((tensor) => tensor.name === name)?.shape;
    return found?.length === shape.length && shape.every((side, i) => side === found[i]);
  });

const bundledFacts = async (): Promise<FileFacts> => {
  const { path: folder } = defaultModel();
  const config = async (name: string): Promise<Part['config']> => readJson(join(folder, name, 'config.json'));
  const scheduler = await schedulerIn(folder);
  return {
    unet: await config('unet'),
    vae: await config('vae'),
    text: await config('text_encoder'),
    scheduler: (isXl) => scheduler ?? publicScheduler(isXl),
    tokenizer: () => loadTokenizer(join(folder, 'tokenizer')),
    folder,
  };
};

const singleFile = async (host: EngineHost, path: string, stop: Stop): Promise<ModelFiles> => {
  const info = await native(host.engine.inspect(path, { stop }));
  checkSingleFile(path, info);
  const facts = isBundled(info) ? await bundledFacts() : publicFacts;
  const part = (kind: Part['kind'], config: Part['config'], encoder?: number): Part => ({
    kind,
    source: { path, dialect: 'ldm' },
    ...(config === undefined ? {} : { config }),
    ...(encoder === undefined ? {} : { encoder }),
  });
  return {
    name: stem(path),
    folder: undefined,
    isXl: info.kind.startsWith('SDXL'),
    family: facts.folder ?? path,
    unet: part('unet', facts.unet),
    vae: part('vae', facts.vae),
    text: (isXl) =>
      (isXl ? [0, 1] : [0]).map((encoder) => ({
        part: part('clip_text', facts.text, encoder),
        tokenizer: () => facts.tokenizer(encoder),
        tokenizerFolder: facts.folder && join(facts.folder, 'tokenizer'),
      })),
    scheduler: facts.scheduler,
    scalingFactor: numberIn(facts.vae, 'scaling_factor'),
    sampleSize: numberIn(facts.unet, 'sample_size'),
    zeroNegative: true, // SDXL base's rule; the other families have none
  };
};

/** The parts of a model: a diffusers folder, or one checkpoint file, told apart by looking. */
export const modelFiles = async (host: EngineHost, path: string, stop: Stop): Promise<ModelFiles> => {
  const kind = await kindAt(path);
  if (kind === 'folder') return folderFiles(path);
  // what is no plain file is refused by the reader, with its own words
  if (kind !== undefined) return singleFile(host, path, stop);
  throw new ModelFileError('MODEL_NOT_FOUND', `There is no model at ${quoted(path)}`, 'Check the path', {
    details: { path },
  });
};
