import { z } from 'zod';
import type { FaceAnalyzer } from '../faces/face.js';
import type { FaceFiles } from '../faces/options.js';
import { checked, expectedFor, type Names, readOnce } from '../options/check.js';
import { DEFAULTS } from '../options/defaults.js';
import { name, path, real, signalSchema, whole } from '../options/schemas.js';

/**
 * How an adapter is attached.
 *
 * @example
 * await pipe.addAdapter('ip-adapter-plus_sd15.safetensors', { encoder: 'image_encoder', name: 'plus' })
 */
export interface AddAdapterOptions {
  /** Folder or file of the CLIP image encoder. Default: looked for beside the adapter and in the model's folder. */
  readonly encoder?: string;
  /** Face networks, for the FaceID variants. */
  readonly face?: FaceFiles | FaceAnalyzer;
  /** Default: the file's name without its ending. */
  readonly name?: string;
  /** Strength of the LoRA inside a FaceID adapter, 0…2. Default 1. */
  readonly loraScale?: number;
  /** FaceID Plus: v1 and v2 have the same tensors. Default: known by the file's hash, else v2 with a warning. */
  readonly version?: 'v1' | 'v2';
  /** Side of the face's picture for FaceID Plus in px, a multiple of 112 or 128 up to 1024. Default 224. */
  readonly faceCrop?: number;
  readonly signal?: AbortSignal;
}

const adapterShape = {
  encoder: path.optional(),
  face: z.unknown().optional(),
  name,
  loraScale: real(0, 2).optional(),
  version: z.enum(['v1', 'v2'], 'one of v1, v2').optional(),
  faceCrop: whole(112, 1024).optional(),
  signal: signalSchema.optional(),
} satisfies Record<keyof AddAdapterOptions, z.ZodType>;
const ADAPTER: Names = { known: Object.keys(adapterShape), later: ['lora', 'cropFace', 'preset', 'sha256'] };

export interface AdapterSettings {
  readonly encoder: string | undefined;
  readonly face: unknown; // FaceFiles or a FaceAnalyzer
  readonly name: string | undefined;
  readonly loraScale: number;
  readonly version: 'v1' | 'v2' | undefined;
  readonly faceCrop: number;
  readonly signal: AbortSignal | undefined;
}

export const adapterSettings = (options: unknown = {}): AdapterSettings => {
  const given = checked(z.object(adapterShape), readOnce(options, '', ADAPTER));
  const faceCrop = given.faceCrop ?? DEFAULTS.faceCrop;
  if (faceCrop % 112 !== 0 && faceCrop % 128 !== 0) {
    throw expectedFor(
      'OPTION_RANGE',
      'faceCrop',
      'a multiple of 112 or 128 from 112 to 1024',
      faceCrop,
      'Give faceCrop 224',
    );
  }
  return {
    encoder: given.encoder,
    face: given.face,
    name: given.name,
    loraScale: given.loraScale ?? DEFAULTS.loraScale,
    version: given.version,
    faceCrop,
    signal: given.signal,
  };
};
