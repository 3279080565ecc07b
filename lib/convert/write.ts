import { rm } from 'node:fs/promises';
import { abortError, quoted } from '../errors.js';
import type { ModelFiles } from '../models/model-files.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { SaveLora, SavePart, SaveResult } from '../native/save-types.js';
import type { LoraHandle, NetworkHandle, Stop } from '../native/types.js';
import { makeFolders, type NamedPart, weightsOf, writeRest } from './folder.js';
import type { ConvertResult, ConvertSettings } from './options.js';
import { checkTarget, finish, partOf, sweep, type Target } from './target.js';

/** A part, and where its weights are. */
export interface WrittenPart extends NamedPart {
  readonly weights: SavePart<NetworkHandle>;
}

/** A model to be written. */
export interface Written {
  readonly files: ModelFiles;
  readonly parts: readonly WrittenPart[];
  readonly loras: readonly SaveLora<LoraHandle>[];
}

/** The parts of a model as its files have them. */
export const partsOf = (files: ModelFiles): readonly WrittenPart[] => {
  const { unet, vae } = files;
  const text = files
    .text(files.isXl)
    .map(({ part }, i) => [i === 0 ? 'text_encoder' : 'text_encoder_2', part] as const);
  return ([['unet', unet], ['vae', vae], ...text] as const).map(([name, part]) => ({
    name,
    config: part.config,
    weights: part as SavePart<NetworkHandle>,
  }));
};

/** What the form that was written cannot say, and what was left out. */
const losses = (
  { files, parts }: Written,
  saved: SaveResult,
  target: Target,
): readonly { code: string; message: string }[] => {
  const left = saved.parts.flatMap(({ leftOut }, i) =>
    leftOut.length === 0
      ? []
      : [
          {
            code: 'TENSORS_LEFT_OUT',
            message: `${leftOut.length} tensors of ${parts[i]!.name} belong to no layer and are left out, such as ${quoted(leftOut[0]!)}`,
          },
        ],
  );
  const { prediction_type: predicts } = files.scheduler(files.isXl);
  const isOdd = target.form === 'file' && predicts !== undefined && predicts !== null && predicts !== 'epsilon';
  const message = `One file cannot say that the model predicts ${predicts}: give prediction where it is used, or write a folder`;
  return [...left, ...(isOdd ? [{ code: 'PREDICTION_LOST', message }] : [])];
};

/** Writes a model whole or not at all: beside the target under another name, to the disk, then renamed. */
export const writeModel = async (
  host: EngineHost,
  written: Written,
  target: Target,
  settings: ConvertSettings,
  stop: Stop,
): Promise<ConvertResult> => {
  const { overwrite, dtype, allowNonFinite, onProgress } = settings;
  const { files, parts, loras } = written;
  await sweep(target);
  await checkTarget(target, overwrite);
  const part = partOf(target);
  const isFile = target.form === 'file';
  try {
    if (!isFile) await makeFolders(part, parts);
    const outputs = isFile
      ? [{ path: part, dialect: 'ldm' as const, parts: [...parts.keys()] }]
      : parts.map((one, i) => ({ path: weightsOf(part, one), dialect: 'diffusers' as const, parts: [i] }));
    const listener = onProgress && ((event: object) => onProgress({ type: 'convert', ...event } as never));
    const weights = parts.map((one) => one.weights);
    const saved = await native(
      host.engine.save({ parts: weights, loras, files: outputs, dtype, allowNonFinite, stop }, listener),
    );
    if (!isFile) await writeRest(part, files, parts, saved, dtype);
    if (settings.signal?.aborted) throw abortError(settings.signal.reason); // the caller was told already
    await finish(target, part, overwrite);
    return {
      path: target.path,
      bytes: saved.bytes,
      warnings: [...saved.warnings, ...losses(written, saved, target)],
    };
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
};
