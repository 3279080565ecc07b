import { z } from 'zod';
import type { FaceAnalyzer } from '../faces/face.js';
import type { FaceFiles } from '../faces/options.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { ADAPTER } from '../options/table/attach.js';
import { checkPreset } from './presets.js';

/**
 * How an adapter is attached.
 *
 * @example
 * await pipe.addAdapter('ip-adapter-plus_sd15.safetensors', { encoder: 'image_encoder', name: 'plus' })
 */
export interface AddAdapterOptions {
  /** Folder, file or name of the CLIP image encoder. Default: looked for beside the adapter, in the model's folder, then among fetched ones. */
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
   * full-face adapters, and files and presets that are named plus-face.
   */
  readonly cropFace?: boolean;
  /**
   * What another tool calls the adapter: a preset of ComfyUI's unified loaders, a preprocessor of A1111, or the name of a
   * published file. It is held to what the file's tensors say; of FaceID Plus it tells v1 from v2 where nothing else does.
   */
  readonly preset?: string;
  /** SHA-256 that the file must have, 64 hexadecimal digits: checked before anything of it is used. */
  readonly sha256?: string;
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
  readonly preset: string | undefined;
  readonly sha256: string | undefined;
  readonly signal: AbortSignal | undefined;
}

const preset = z.string(ADAPTER.rows.preset.expects);
const hash = z.string(ADAPTER.rows.sha256.expects).regex(/^[0-9a-f]{64}$/i, ADAPTER.rows.sha256.expects);

/** `name` is the adapter's where the options give none. */
export const adapterSettings = (options: unknown = {}, name?: string): AdapterSettings => {
  const given = readOptions(ADAPTER, options, { face: z.unknown(), preset, sha256: hash });
  checkPreset(given.preset);
  return {
    encoder: given.encoder,
    face: given.face,
    name: given.name ?? name,
    lora: given.lora,
    loraScale: given.loraScale ?? defaultOf(ADAPTER, 'loraScale'),
    version: given.version,
    faceCrop: given.faceCrop ?? defaultOf(ADAPTER, 'faceCrop'),
    cropFace: given.cropFace,
    preset: given.preset,
    sha256: given.sha256,
    signal: given.signal,
  };
};
