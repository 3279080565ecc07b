import { z } from 'zod';
import type { FaceAnalyzer } from '../faces/face.js';
import type { FaceFiles } from '../faces/options.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { ADAPTER } from '../options/table/attach.js';

/**
 * How an adapter is attached.
 *
 * @example
 * await pipe.addAdapter('ip-adapter-plus_sd15.safetensors', { encoder: 'image_encoder', name: 'plus' })
 */
export interface AddAdapterOptions {
  /** Folder or file of the CLIP image encoder. Default: looked for beside the adapter and in the model's folder. */
  readonly encoder?: string;
  /** Face networks, for the FaceID variants and `cropFace`. */
  readonly face?: FaceFiles | FaceAnalyzer;
  /** Default: the file's name without its ending. */
  readonly name?: string;
  /** File of the LoRA that a FaceID adapter was trained with. Never applied twice: one inside acts. */
  readonly lora?: string;
  /** Strength of a FaceID adapter's LoRA, 0…2. Default 1. */
  readonly loraScale?: number;
  /** FaceID Plus: v1 and v2 have the same tensors. Default: known by the file's hash, else v2 with a warning. */
  readonly version?: 'v1' | 'v2';
  /** Side of the face's picture for FaceID Plus in px, 112…1,024, a multiple of 112 or 128. Default 224. */
  readonly faceCrop?: number;
  /**
   * Cut the chosen face out of pictures, with room around it, for adapters that read close-ups; needs `face`. Default: true for
   * full-face adapters and files that are named plus-face.
   */
  readonly cropFace?: boolean;
  readonly signal?: AbortSignal;
}

export interface AdapterSettings {
  readonly encoder: string | undefined;
  readonly face: unknown; // FaceFiles or a FaceAnalyzer
  readonly name: string | undefined;
  readonly lora: string | undefined;
  readonly loraScale: number;
  readonly version: 'v1' | 'v2' | undefined;
  readonly faceCrop: number;
  readonly cropFace: boolean | undefined;
  readonly signal: AbortSignal | undefined;
}

export const adapterSettings = (options: unknown = {}): AdapterSettings => {
  const given = readOptions(ADAPTER, options, { face: z.unknown() });
  return {
    encoder: given.encoder,
    face: given.face,
    name: given.name,
    lora: given.lora,
    loraScale: given.loraScale ?? defaultOf(ADAPTER, 'loraScale'),
    version: given.version,
    faceCrop: given.faceCrop ?? defaultOf(ADAPTER, 'faceCrop'),
    cropFace: given.cropFace,
    signal: given.signal,
  };
};
