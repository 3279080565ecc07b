import { dirname, join } from 'node:path';
import { ModelFileError, quoted } from '../errors.js';
import { kindAt, readJson } from '../files/files.js';
import { checkKind } from '../files/kinds.js';
import { weightsIn } from '../files/weights.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { Stop } from '../native/types.js';
import type { Part } from './model-files.js';

const BASES = ['diffusion_pytorch_model', 'taesd', 'taesdxl', 'taesd_decoder', 'taesdxl_decoder'];

/** The VAE at a path of the user's: a file, or a folder with the weights and their config.json. */
export const externalVae = async (host: EngineHost, given: string, stop: Stop): Promise<Part> => {
  const path = (await kindAt(given)) === 'folder' ? await weightsIn(given, BASES) : given;
  if (path === undefined) {
    throw new ModelFileError(
      'MODEL_NOT_FOUND',
      `${quoted(given)} holds no VAE; looked for ${BASES.map((base) => `${base}.safetensors`).join(', ')}`,
      'Give the file itself, or the folder vae of a diffusers model',
      { details: { path: given } },
    );
  }
  const { kind } = await native(host.engine.inspect(path, { stop }));
  checkKind(path, kind, 'vae');
  const config = await readJson(join(dirname(path), 'config.json'));
  const isOwn = typeof config?._class_name === 'string' && config._class_name.startsWith('Autoencoder');
  // the reader of checkpoint files takes both dialects, and a VAE alone
  return { kind: 'vae', source: { path, dialect: 'ldm' }, ...(isOwn && { config }) };
};
