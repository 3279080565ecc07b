import { abortError } from '../errors.js';
import { located } from '../hub/names.js';
import { modelFiles } from '../models/model-files.js';
import { cancellable, startEngine } from '../native/engine.js';
import { pathOf } from '../options/schemas.js';
import {
  type ConvertOptions,
  type ConvertResult,
  type ConvertSettings,
  convertSettings,
  type MergeLora,
  mergeLoras,
} from './options.js';
import { checkTarget, targetOf } from './target.js';
import { partsOf, writeModel } from './write.js';

type Loras = ReturnType<typeof mergeLoras>;

const written = async (
  source: string,
  loras: Loras,
  given: string,
  settings: ConvertSettings,
): Promise<ConvertResult> => {
  const target = targetOf(given);
  await checkTarget(target, settings.overwrite);
  const path = await located(source);
  const merged = await Promise.all(
    loras.map(async ({ file, ...scales }) => ({ path: await located(file), ...scales })),
  );
  const host = startEngine({ threads: 1 });
  try {
    return await cancellable(host, settings.signal, abortError, async (stop) => {
      const files = await modelFiles(host, path, stop);
      return writeModel(host, { files, parts: partsOf(files), loras: merged }, target, settings, stop);
    });
  } finally {
    host.close();
  }
};

/**
 * Writes a model in another form: one `.safetensors` file with the names of checkpoint files where the target ends so, else a
 * diffusers folder. Both load again with the same numbers, rounded once.
 *
 * @example
 * await convert('v1-5-pruned-emaonly.ckpt', 'sd15')
 * await convert('sd15', 'sd15.safetensors', { dtype: 'bf16' })
 */
export const convert = async (source: string, target: string, options: ConvertOptions = {}): Promise<ConvertResult> => {
  const settings = convertSettings(options);
  return written(pathOf(source, 'source'), [], pathOf(target, 'target'), settings);
};

/**
 * As `convert`, with LoRAs merged into the weights in f32 before they are rounded.
 *
 * @example
 * await merge('sd15.safetensors', ['ink.safetensors', { file: 'light.safetensors', scale: 0.5 }], 'sd15-ink.safetensors')
 */
export const merge = async (
  source: string,
  loras: readonly (string | MergeLora)[],
  target: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> => {
  const settings = convertSettings(options);
  return written(pathOf(source, 'source'), mergeLoras(loras), pathOf(target, 'target'), settings);
};
