import { ModelFileError, quoted } from '../errors.js';
import { familyDefaults } from '../files/defaults.js';
import { cameFrom } from '../files/origin.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { NetworkHandle, NetworkInfo, Stop, VaeTiling } from '../native/types.js';
import { MODEL_DEFAULTS } from '../options/defaults.js';
import { defaultOf } from '../options/row.js';
import { GENERATE } from '../options/table/generate.js';
import { REFERENCE } from '../options/table/reference.js';
import type { ClipTokenizer } from '../prompt/index.js';
import { type SchedulerConfig, samplerOf } from '../schedulers/index.js';
import { checkHashes, type ModelHashes } from './expected-hashes.js';
import { externalVae } from './external-vae.js';
import { type ModelFiles, modelFiles, type Part } from './model-files.js';
import { checkNeed, type MemoryNeed, needOf } from './need.js';
import type { LoadEvent, ModelDefaults } from './options.js';

/** A text encoder with its tokenizer. */
export interface TextTower {
  readonly network: NetworkHandle;
  readonly tokenizer: ClipTokenizer;
}

/** A loaded base model. */
export interface Model {
  readonly name: string;
  readonly path: string;
  /** A diffusers folder, where an image encoder may lie; undefined for a single file. */
  readonly folder: string | undefined;
  readonly family: string;
  /** SDXL's conditioning: two text encoders, pooled text, sizes. */
  readonly isXl: boolean;
  readonly unet: NetworkHandle;
  readonly vae: NetworkHandle;
  /** What decodes previews: the VAE, unless another was loaded for it. */
  readonly preview: { readonly vae: NetworkHandle; readonly scalingFactor: number };
  readonly text: readonly TextTower[];
  readonly scheduler: SchedulerConfig;
  readonly scalingFactor: number;
  /** Pixels per latent. */
  readonly factor: number;
  readonly zeroNegative: boolean;
  /** An inpainting model: its UNet reads a mask and the masked picture beside the latents. */
  readonly readsMask: boolean;
  readonly defaults: ModelDefaults;
  /** At its own picture size. */
  readonly need: MemoryNeed;
  /** How its VAE was asked to run. */
  readonly vaeTiling: VaeTiling;
  readonly warnings: NetworkInfo['warnings'];
  readonly dispose: () => void;
}

export interface LoadModelOptions {
  /** Path of another VAE. */
  readonly vae?: string | undefined;
  readonly sha256?: ModelHashes | undefined;
  /** The same of the one that decodes previews. */
  readonly previewVae?: string | undefined;
  readonly vaeTiling: VaeTiling;
  readonly allowNonFinite: boolean;
  readonly onProgress: ((event: LoadEvent) => void) | undefined;
  readonly stop: Stop;
}

/** What latents are divided by before the VAE: a tiny autoencoder takes them as they are. */
const scalingOf = (
  vae: NetworkInfo,
  part: Part,
  files: ModelFiles,
  family: keyof typeof MODEL_DEFAULTS.size,
): number => {
  if (vae.tiny) return 1;
  const own = part === files.vae ? files.scalingFactor : part.config?.scaling_factor;
  return typeof own === 'number' && own > 0 ? own : MODEL_DEFAULTS.scalingFactor[family];
};

const encoderAlone = (path: string): ModelFileError =>
  new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `${quoted(path)} is the encoder of a tiny autoencoder alone`,
    'Give its decoder (taesd_decoder), or the file that has both',
    { details: { path } },
  );

/** What decodes previews reads the latents of the model. */
const checkPreviewVae = (path: string, shown: NetworkInfo, { latentChannels = 4, factor = 8 }: NetworkInfo): void => {
  if (shown.decodes === false) throw encoderAlone(path);
  const found = [shown.latentChannels ?? 4, shown.factor ?? 8];
  if (found[0] === latentChannels && found[1] === factor) return;
  throw new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `${quoted(path)} reads latents of ${found[0]} channels and ${found[1]} px; the model's have ${latentChannels} and ${factor}`,
    "Give the tiny autoencoder of the model's family as previewVae",
    { details: { path, found, expected: [latentChannels, factor] } },
  );
};

/** Whether the UNet reads a mask and the masked picture beside the latents, as inpainting models do. */
const readsMask = (path: string, { inChannels }: NetworkInfo, latents: number): boolean => {
  const inpainting = 2 * latents + 1;
  if (inChannels === undefined || inChannels === latents) return false;
  if (inChannels === inpainting) return true;
  throw new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `${quoted(path)} has a UNet that reads ${inChannels} channels; expected ${latents}, or ${inpainting} of an inpainting model`,
    'Load a text-to-image or an inpainting model',
    { details: { path, found: inChannels, expected: latents } },
  );
};

/** The networks of a model: opened one by one by their headers, then read. */
class Networks {
  readonly #parts: { readonly name: string; readonly network: NetworkHandle }[] = [];

  constructor(
    readonly host: EngineHost,
    readonly options: LoadModelOptions,
  ) {}

  async open(name: string, part: Part): Promise<NetworkHandle> {
    const { allowNonFinite, vaeTiling: tiling, stop } = this.options;
    const network = await native(this.host.engine.load({ ...part, allowNonFinite, tiling, later: true, stop }));
    this.#parts.push({ name, network });
    return 'path' in part.source ? cameFrom(network, part.source.path) : network;
  }

  async read(): Promise<void> {
    const { allowNonFinite, onProgress, stop } = this.options;
    for (const { name: part, network } of this.#parts) {
      const progress =
        onProgress && ((event: { bytes: number; totalBytes: number }) => onProgress({ type: 'load', part, ...event }));
      await native(this.host.engine.read(network, { allowNonFinite, stop }, progress));
    }
  }

  get warnings(): NetworkInfo['warnings'] {
    return this.#parts.flatMap(({ network }) => network.info.warnings);
  }

  readonly dispose = (): void => {
    for (const { network } of this.#parts) network.dispose();
  };
}

/** Loads every network of the model at `path`. What can be refused by headers is refused before a weight is read. */
export const loadModel = async (host: EngineHost, path: string, options: LoadModelOptions): Promise<Model> => {
  const { stop } = options;
  const files = await modelFiles(host, path, stop);
  const external = options.vae === undefined ? undefined : await externalVae(host, options.vae, stop);
  const checked = await checkHashes(files, external, options.sha256);
  const networks = new Networks(host, options);
  try {
    const unet = await networks.open('unet', files.unet);
    const vaePart = external ?? files.vae;
    const vae = await networks.open('vae', vaePart);
    if (vae.info.decodes === false) throw encoderAlone(options.vae ?? path);
    const previewPart =
      options.previewVae === undefined ? undefined : await externalVae(host, options.previewVae, stop);
    const shown = previewPart && (await networks.open('preview_vae', previewPart));
    if (shown) checkPreviewVae(options.previewVae!, shown.info, vae.info);
    const isInpainting = readsMask(path, unet.info, vae.info.latentChannels ?? 4);
    const isXl = (unet.info.pooledWidth ?? 0) > 0;
    const text: TextTower[] = [];
    for (const [i, { part, tokenizer }] of files.text(isXl).entries()) {
      text.push({
        network: await networks.open(i === 0 ? 'text_encoder' : `text_encoder_${i + 1}`, part),
        tokenizer: await tokenizer(),
      });
    }
    const scheduler = files.scheduler(isXl);
    const family = isXl ? 'sdxl' : 'sd15';
    const factor = vae.info.factor ?? 8;
    const scalingFactor = scalingOf(vae.info, vaePart, files, family);
    const side = files.sampleSize === undefined ? MODEL_DEFAULTS.size[family] : files.sampleSize * factor;
    const own = await familyDefaults(files.family);
    const defaults = {
      width: own.width ?? side,
      height: own.height ?? side,
      steps: own.steps ?? defaultOf(GENERATE, 'steps'),
      guidanceScale: own.guidanceScale ?? MODEL_DEFAULTS.guidanceScale[family],
      sampler: own.sampler ?? samplerOf(scheduler),
      schedule: own.schedule,
      scale: own.scale ?? defaultOf(REFERENCE, 'scale'),
    };
    const usual = {
      width: defaults.width / factor,
      height: defaults.height / factor,
      batch: defaults.guidanceScale > 1 ? 2 : 1,
      chunks: 1,
      calls: defaults.steps,
      promptTokens: [],
    };
    const stages = { unet, vae, text: text.map(({ network }) => network) };
    const need = await needOf(host, stages, usual, factor, stop);
    await checkNeed(host, stages, usual, stop);
    await networks.read();
    for (const file of checked) await file.stillHolds();
    return {
      name: files.name,
      path,
      folder: files.folder,
      family: unet.info.family ?? 'custom',
      isXl,
      unet,
      vae,
      preview: shown
        ? { vae: shown, scalingFactor: scalingOf(shown.info, previewPart, files, family) }
        : { vae, scalingFactor },
      text,
      scheduler,
      scalingFactor,
      factor,
      zeroNegative: isXl && files.zeroNegative,
      readsMask: isInpainting,
      defaults,
      need,
      vaeTiling: options.vaeTiling,
      warnings: networks.warnings,
      dispose: networks.dispose,
    };
  } catch (error) {
    networks.dispose();
    throw error;
  }
};
