import { readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { ModelFileError, ModelMismatchError, quoted } from '../errors.js';
import { isFile, kindAt, readJson } from '../files/files.js';
import { cameFrom } from '../files/origin.js';
import { weightsIn } from '../files/weights.js';
import { catalogRow } from '../hub/catalog.js';
import { cached, located, pullCommand } from '../hub/names.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { FileInfo, NetworkHandle, Stop } from '../native/types.js';
import { type EncoderNeed, encoderName } from './variants.js';

/** A CLIP image encoder and how pictures are prepared for it. */
export interface ImageEncoder {
  readonly path: string;
  readonly network: NetworkHandle;
  /** Side in px: shortest side of the resize, and the crop. */
  readonly size: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

// source: CLIP, of every public encoder
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];

const MOST_FILES = 50; // of a clip_vision folder

const ENCODERS = ['image-encoder-vit-h', 'image-encoder-vit-bigg'] as const;

/** Encoders that were fetched by name. */
const fetched = async (): Promise<string[]> => {
  const found = await Promise.all(ENCODERS.map((name) => cached({ name, row: catalogRow(name) })));
  return found.filter((place) => place !== undefined);
};

/** Where encoders are looked for, in order. */
const places = async (adapter: string, modelFolder: string | undefined): Promise<string[]> => {
  const beside = dirname(adapter);
  const shelf = join(beside, '..', 'clip_vision');
  const files = await readdir(shelf).catch(() => []);
  const all = [
    join(beside, 'image_encoder'),
    join(beside, '..', 'models', 'image_encoder'),
    join(beside, '..', 'sdxl_models', 'image_encoder'),
    ...files
      .sort()
      .slice(0, MOST_FILES)
      .map((name) => join(shelf, name)),
    ...(modelFolder === undefined ? [] : [join(modelFolder, 'image_encoder')]),
    ...(await fetched()),
  ];
  return [...new Set(all)];
};

const shapeOf = (info: FileInfo, names: readonly string[]): readonly number[] | undefined =>
  info.tensors.find((tensor) => names.includes(tensor.name))?.shape;

/** Widths of an encoder. */
export interface EncoderWidths {
  /** Width of the hidden states, undefined when the file is no image encoder. */
  readonly hidden: number | undefined;
  readonly projection: number | undefined;
}

interface Found extends EncoderWidths {
  readonly file: string;
}

/** The widths that a file's tensors tell. */
export const encoderWidths = (info: FileInfo): EncoderWidths => ({
  hidden: shapeOf(info, ['vision_model.embeddings.class_embedding', 'visual.class_embedding'])?.[0],
  projection: shapeOf(info, ['visual_projection.weight'])?.[0] ?? shapeOf(info, ['visual.proj'])?.[1],
});

const describe = ({ hidden, projection }: Found, need: EncoderNeed): string => {
  if (hidden === undefined) return 'no CLIP image encoder';
  const width = need.output === 'image_embeds' ? projection : hidden;
  return width === undefined ? 'an encoder without a projection' : encoderName({ output: need.output, width });
};

export const fits = ({ hidden, projection }: EncoderWidths, need: EncoderNeed): boolean =>
  hidden !== undefined && (need.output === 'image_embeds' ? projection : hidden) === need.width;

/** The weights at a place and their widths, undefined when there is nothing. */
const look = async (host: EngineHost, place: string, stop: Stop): Promise<Found | undefined> => {
  const kind = await kindAt(place);
  const file =
    kind === 'folder'
      ? await weightsIn(place, ['model', 'pytorch_model', 'open_clip_pytorch_model'])
      : kind === 'file'
        ? place
        : undefined;
  if (file === undefined) return undefined;
  const info = await native(host.engine.inspect(file, { stop }));
  return { file, ...encoderWidths(info) };
};

const mismatch = (adapter: string, need: EncoderNeed, found: Found): ModelMismatchError => {
  const [expected, given] = [encoderName(need), describe(found, need)];
  return new ModelMismatchError(
    'ADAPTER_ENCODER_MISMATCH',
    `${quoted(adapter)} needs ${expected}; ${quoted(found.file)} is ${given}`,
    `Give the folder of ${expected} as encoder`,
    { details: { path: found.file, adapter, expected, found: given } },
  );
};

const chosen = async (
  host: EngineHost,
  adapter: string,
  need: EncoderNeed,
  given: string,
  stop: Stop,
): Promise<string> => {
  const found = await look(host, await located(given), stop);
  if (!found) {
    throw new ModelMismatchError(
      'ADAPTER_ENCODER_MISSING',
      `There is no image encoder at ${quoted(given)}; ${quoted(adapter)} needs ${encoderName(need)}`,
      'Give a folder with model.safetensors and config.json, or the file itself',
      { details: { path: given, expected: encoderName(need) } },
    );
  }
  if (!fits(found, need)) throw mismatch(adapter, need, found);
  return found.file;
};

const searched = async (
  host: EngineHost,
  adapter: string,
  need: EncoderNeed,
  modelFolder: string | undefined,
  stop: Stop,
): Promise<string> => {
  const seen: { place: string; found: string }[] = [];
  for (const place of await places(adapter, modelFolder)) {
    let found: Found | undefined;
    try {
      found = await look(host, place, stop);
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
      seen.push({ place, found: error.code });
      continue;
    }
    if (found && fits(found, need)) return found.file;
    seen.push({ place, found: found ? describe(found, need) : 'nothing' });
  }
  const wanted = encoderName(need);
  const name = ENCODERS.find((it) => wanted.startsWith(it.endsWith('-h') ? 'ViT-H ' : 'ViT-bigG '));
  const from = dirname(adapter);
  const list = seen.map(({ place, found }) => `${relative(from, place)}: ${found}`).join('; ');
  throw new ModelMismatchError(
    'ADAPTER_ENCODER_MISSING',
    `No image encoder for ${quoted(adapter)} was found, it needs ${wanted}. From its folder, looked at ${list}`,
    `Give the folder of ${wanted} as encoder${name ? `, or fetch it: ${pullCommand(name)}` : ''}`,
    { details: { adapter, expected: wanted, searched: seen } },
  );
};

const side = z.union([
  z.int(),
  z.looseObject({ shortest_edge: z.int() }),
  z.looseObject({ height: z.int(), width: z.int() }),
]);
const three = z.tuple([z.number(), z.number(), z.number()]);
const preprocessorSchema = z.looseObject({
  size: side.optional(),
  crop_size: side.optional(),
  image_mean: three.optional(),
  image_std: three.optional(),
});

const pixels = (value: z.infer<typeof side> | undefined): number | undefined => {
  if (value === undefined || typeof value === 'number') return value;
  return 'shortest_edge' in value && typeof value.shortest_edge === 'number'
    ? value.shortest_edge
    : (value as { height: number }).height;
};

/** Size, mean and spread of preprocessor_config.json, where the folder or its neighbour has one. */
const preparation = async (file: string, image: number): Promise<Pick<ImageEncoder, 'size' | 'mean' | 'std'>> => {
  const folder = dirname(file);
  for (const path of [
    join(folder, 'preprocessor_config.json'),
    join(folder, '..', 'feature_extractor', 'preprocessor_config.json'),
  ]) {
    const json = await readJson(path);
    if (!json) continue;
    const parsed = preprocessorSchema.safeParse(json);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new ModelFileError(
        'MODEL_HEADER_INVALID',
        `${quoted(path)}: ${issue.path.join('.')}: ${issue.message}`,
        'Take preprocessor_config.json of the encoder',
        { details: { path } },
      );
    }
    const { size, crop_size, image_mean: mean = MEAN, image_std: std = STD } = parsed.data;
    // a neighbour's file may belong to another encoder: only one of the encoder's own size counts
    const found = pixels(crop_size) ?? pixels(size) ?? image;
    if (found === image) return { size: image, mean, std };
  }
  return { size: image, mean: MEAN, std: STD };
};

/** Finds the encoder that an adapter needs: the given one, or by looking around. Only headers are read. */
export const findEncoder = (
  host: EngineHost,
  adapter: string,
  need: EncoderNeed,
  given: string | undefined,
  modelFolder: string | undefined,
  stop: Stop,
): Promise<string> =>
  given === undefined ? searched(host, adapter, need, modelFolder, stop) : chosen(host, adapter, need, given, stop);

/** Whether what the user gave is an encoder of that need. */
export const isEncoderOf = async (host: EngineHost, given: string, need: EncoderNeed, stop: Stop): Promise<boolean> => {
  const found = await look(host, given, stop);
  return found !== undefined && fits(found, need);
};

/** Loads the encoder in `file`. */
export const loadEncoder = async (
  host: EngineHost,
  file: string,
  allowNonFinite: boolean,
  stop: Stop,
): Promise<ImageEncoder> => {
  const configFile = join(dirname(file), 'config.json');
  const config = (await isFile(configFile)) ? await readJson(configFile) : undefined;
  // the configuration of a whole CLIP model has one for each tower
  const vision =
    config && typeof config.vision_config === 'object' ? (config.vision_config as Record<string, unknown>) : config;
  const network = await native(
    host.engine.load({
      kind: 'clip_vision',
      source: { path: file },
      stop,
      allowNonFinite,
      ...(vision === undefined ? {} : { config: vision }),
    }),
  );
  await cameFrom(network, file);
  return { path: file, network, ...(await preparation(file, network.info.image ?? 224)) };
};
