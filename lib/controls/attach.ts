import { dirname, join } from 'node:path';
import { ModelFileError, quoted } from '../errors.js';
import { isFile, kindAt, readJson } from '../files/files.js';
import { checkKind } from '../files/kinds.js';
import { cameFrom } from '../files/origin.js';
import { weightsIn } from '../files/weights.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { NetworkHandle, Stop } from '../native/types.js';

/** What loading needs of a pipeline. */
export interface ControlContext {
  readonly host: EngineHost;
  readonly unet: NetworkHandle;
  readonly allowNonFinite: boolean;
}

/** The weights at a path: a file, or the file in a diffusers folder. */
const weightsAt = async (path: string): Promise<string> => {
  if ((await kindAt(path)) !== 'folder') return path;
  const file = await weightsIn(path, ['diffusion_pytorch_model']);
  if (file !== undefined) return file;
  throw new ModelFileError(
    'MODEL_NOT_FOUND',
    `${quoted(path)} holds no diffusion_pytorch_model.safetensors`,
    'Give the folder of a ControlNet, or its file',
    { details: { path } },
  );
};

/** Loads a ControlNet or T2I-Adapter, whichever its tensors are; nothing large is read before it fits the UNet. */
export const loadControlNet = async (
  { host, unet, allowNonFinite }: ControlContext,
  path: string,
  stop: Stop,
): Promise<NetworkHandle> => {
  const file = await weightsAt(path);
  const { kind } = await native(host.engine.inspect(file, { stop }));
  checkKind(file, kind, 'addControlNet');
  // beside a file it may be another network's
  const besides = join(dirname(file), 'config.json');
  const config = file !== path || (await isFile(besides)) ? await readJson(besides) : undefined;
  const isOwn = file !== path || /^(ControlNetModel|T2IAdapter)$/.test(String(config?._class_name));
  const network = await native(
    host.engine.load({
      kind: 'control',
      source: { path: file },
      unet,
      allowNonFinite,
      ...(config && isOwn && { config }),
      stop,
    }),
  );
  return cameFrom(network, file);
};
