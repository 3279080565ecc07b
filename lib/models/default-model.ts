import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FamilyDefaults, readFamilyDefaults } from '../files/defaults.js';
import { packageRoot } from '../native/package.js';

/** The bundled model family: where its files are, and what it does best. Paths are absolute. */
export interface DefaultModel {
  /** The diffusers folder, for `Pipeline.load`. */
  readonly path: string;
  /** Adapter files by name: base, plus, faceid, faceid-plusv2, faceid-portrait. */
  readonly adapters: Readonly<Record<'base' | 'plus' | 'faceid' | 'faceid-plusv2' | 'faceid-portrait', string>> &
    Readonly<Record<string, string | undefined>>;
  /** The image encoder's folder. */
  readonly encoder: string;
  readonly face: { readonly detector: string; readonly recognizer: string };
  /** Pictures of people that no network saw in training. */
  readonly references: readonly string[];
  /** Option values that suit the family; `adapter` is a path. */
  readonly defaults: FamilyDefaults & { readonly adapter: string };
}

/**
 * The bundled sketch family: small, trained for this package, cartoon portraits at 128 × 128.
 *
 * @example
 * const { path, adapters, face, references } = defaultModel()
 */
export const defaultModel = (): DefaultModel => {
  const folder = join(packageRoot(), 'models', 'sketch');
  const at = (...parts: string[]): string => join(folder, ...parts);
  const defaults = readFamilyDefaults(JSON.parse(readFileSync(at('defaults.json'), 'utf8')), at('defaults.json'));
  const adapters = {
    base: at('adapters', 'ip-adapter_sketch.safetensors'),
    plus: at('adapters', 'ip-adapter-plus_sketch.safetensors'),
    faceid: at('adapters', 'ip-adapter-faceid_sketch.bin'),
    'faceid-plusv2': at('adapters', 'ip-adapter-faceid-plusv2_sketch.bin'),
    'faceid-portrait': at('adapters', 'ip-adapter-faceid-portrait_sketch.bin'),
  };
  return {
    path: at('pipeline'),
    adapters,
    encoder: at('adapters', 'image_encoder'),
    face: { detector: at('face', 'detection.onnx'), recognizer: at('face', 'recognition.onnx') },
    references: readdirSync(at('references'))
      .filter((name) => /\.(png|jpe?g)$/.test(name))
      .sort()
      .map((name) => at('references', name)),
    defaults: {
      ...defaults,
      adapter: defaults.adapter === undefined ? adapters['faceid-plusv2'] : at(defaults.adapter),
    },
  };
};
