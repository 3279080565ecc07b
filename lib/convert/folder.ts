// What a diffusers folder has beside weights.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { familyDefaults } from '../files/defaults.js';
import { readJson } from '../files/files.js';
import { outputError, writeWhole } from '../images/output-file.js';
import type { ModelFiles, TextPart } from '../models/model-files.js';
import type { SaveResult } from '../native/save-types.js';
import { MODEL_DEFAULTS } from '../options/defaults.js';
import { publicTokenizerFiles } from '../prompt/index.js';
import { configOf, type Json } from './configs.js';

/** A part of a model that is written: its name in a folder, and the config.json that it has. */
export interface NamedPart {
  readonly name: 'unet' | 'vae' | 'text_encoder' | 'text_encoder_2';
  readonly config: Json | undefined;
}

const bytesOf = (json: Json): Uint8Array => Buffer.from(`${JSON.stringify(json, null, 2)}\n`);

/** The weights' file of a part. */
export const weightsOf = (folder: string, { name }: NamedPart): string =>
  join(folder, name, name.startsWith('text') ? 'model.safetensors' : 'diffusion_pytorch_model.safetensors');

/** The folder and those of its parts, empty. */
export const makeFolders = async (folder: string, parts: readonly NamedPart[]): Promise<void> => {
  try {
    await mkdir(folder); // the folder that it lies in is the caller's to make
    for (const { name } of parts) await mkdir(join(folder, name));
  } catch (cause) {
    throw outputError(folder, cause);
  }
};

const SMALL = /\.(?:json|txt)$/;

/** The files of a tokenizer, by name. */
const tokenizerFiles = async ({ tokenizerFolder }: TextPart, encoder: number): Promise<Record<string, Uint8Array>> => {
  if (tokenizerFolder === undefined) {
    const files = await publicTokenizerFiles(encoder === 0 ? '<|endoftext|>' : '!');
    return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
  }
  const names = (await readdir(tokenizerFolder).catch(() => [])).filter((name) => SMALL.test(name));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(tokenizerFolder, name))] as const)),
  );
};

const CLASSES: Readonly<Record<string, readonly [library: string, name: string]>> = {
  unet: ['diffusers', 'UNet2DConditionModel'],
  vae: ['diffusers', 'AutoencoderKL'],
  text_encoder: ['transformers', 'CLIPTextModel'],
  text_encoder_2: ['transformers', 'CLIPTextModelWithProjection'],
};

const pipelineClass = (isXl: boolean, inputs: unknown): string =>
  `StableDiffusion${isXl ? 'XL' : ''}${inputs === 9 ? 'Inpaint' : ''}Pipeline`;

const indexOf = (files: ModelFiles, parts: readonly NamedPart[], scheduler: Json, inputs: unknown): Json => {
  const tokenizers = parts.filter(({ name }) => name.startsWith('text'));
  return {
    _class_name: pipelineClass(files.isXl, inputs),
    _diffusers_version: '0.30.0',
    ...(files.isXl
      ? { force_zeros_for_empty_prompt: files.zeroNegative }
      : { requires_safety_checker: false, safety_checker: [null, null] }),
    feature_extractor: [null, null],
    image_encoder: [null, null],
    scheduler: ['diffusers', scheduler._class_name ?? 'PNDMScheduler'],
    ...Object.fromEntries(
      tokenizers.map(({ name }) => [name.replace('text_encoder', 'tokenizer'), ['transformers', 'CLIPTokenizer']]),
    ),
    ...Object.fromEntries(parts.map(({ name }) => [name, CLASSES[name]])),
  };
};

const TORCH = { f16: 'float16', bf16: 'bfloat16', f32: 'float32' } as const;
const FACTOR = 8; // pixels per latent

/** Writes everything but the weights. */
export const writeRest = async (
  folder: string,
  files: ModelFiles,
  parts: readonly NamedPart[],
  saved: SaveResult,
  dtype: keyof typeof TORCH,
): Promise<void> => {
  const write = async (at: readonly string[], bytes: Uint8Array): Promise<void> => {
    await mkdir(join(folder, ...at.slice(0, -1)), { recursive: true });
    await writeWhole(join(folder, ...at), bytes, false);
  };
  const { isXl } = files;
  const family = isXl ? 'sdxl' : 'sd15';
  const side = MODEL_DEFAULTS.size[family];
  const scalingFactor = files.scalingFactor ?? MODEL_DEFAULTS.scalingFactor[family];
  const around = { isXl, latents: side / FACTOR, side, scalingFactor };
  for (const [i, { name, config }] of parts.entries()) {
    const own = config ?? configOf(name, saved.parts[i]!.network, around);
    const typed = name.startsWith('text') ? { ...own, torch_dtype: TORCH[dtype] } : own;
    await write([name, 'config.json'], bytesOf(typed));
  }
  for (const [encoder, text] of files.text(isXl).entries())
    for (const [name, bytes] of Object.entries(await tokenizerFiles(text, encoder)))
      await write([encoder === 0 ? 'tokenizer' : 'tokenizer_2', name], bytes);
  const given = files.folder && (await readJson(join(files.folder, 'scheduler', 'scheduler_config.json')));
  const scheduler: Json = given || files.scheduler(isXl);
  await write(['scheduler', 'scheduler_config.json'], bytesOf(scheduler));
  // an adapter's path is relative to the family's folder, which is not copied
  const { adapter: _, ...defaults } = await familyDefaults(files.family);
  if (Object.keys(defaults).length > 0) await write(['defaults.json'], bytesOf(defaults));
  const unet = saved.parts[parts.findIndex(({ name }) => name === 'unet')]!.network;
  const inputs = 'inChannels' in unet ? unet.inChannels : undefined;
  await write(['model_index.json'], bytesOf(indexOf(files, parts, scheduler, inputs)));
};
