import type { Model } from '../models/model.js';
import { modelFiles } from '../models/model-files.js';
import type { Attaching } from '../native/attaching.js';
import type { EngineHost } from '../native/engine.js';
import type { SaveLora } from '../native/save-types.js';
import type { LoraHandle } from '../native/types.js';
import { type ConvertResult, convertSettings } from './options.js';
import { checkTarget, targetOf } from './target.js';
import { partsOf, type WrittenPart, writeModel } from './write.js';

/** A pipeline whose weights are written. */
export interface Mergeable {
  readonly host: EngineHost;
  readonly model: Model;
  /** It was loaded with another VAE than its own. */
  readonly hasOtherVae: boolean;
  readonly attaching: Attaching;
  readonly loras: readonly SaveLora<LoraHandle>[];
}

/** Writes a loaded model with LoRAs merged; its weights are read from the files that are open, whatever lies there now. */
export const saveMerged = async (
  { host, model, hasOtherVae, attaching, loras }: Mergeable,
  path: string,
  options: unknown,
): Promise<ConvertResult> => {
  const settings = convertSettings(options);
  const target = targetOf(path);
  await checkTarget(target, settings.overwrite);
  return attaching.load(settings.signal, async (stop) => {
    const files = await modelFiles(host, model.path, stop);
    const networks = [model.unet, model.vae, ...model.text.map(({ network }) => network)];
    const parts = partsOf(files).map((part, i): WrittenPart => {
      const isOther = part.name === 'vae' && hasOtherVae;
      if (isOther && model.vae.info.tiny) return part; // no checkpoint holds a tiny one: the model's own is written
      return { ...part, weights: { network: networks[i]! }, ...(isOther && { config: undefined }) };
    });
    const own = hasOtherVae && !model.vae.info.tiny ? { ...files, scalingFactor: model.scalingFactor } : files;
    const handle = await writeModel(host, { files: own, parts, loras }, target, settings, stop);
    return { handle, keep: () => undefined, drop: () => undefined };
  });
};
