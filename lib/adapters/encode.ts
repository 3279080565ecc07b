import { FaceError } from '../errors.js';
import type { Warn } from '../warnings.js';
import type { AdapterParts } from './adapter.js';
import { closeUpWanted } from './close-up.js';
import { type Embedding, embeddingOf } from './embedding.js';
import type { EncodeSettings } from './encode-options.js';
import { PictureReader, type ReadContext } from './read-pictures.js';

/** Reads pictures as the adapter needs them. */
export const encode = async (
  context: ReadContext & { readonly warn: Warn },
  adapter: AdapterParts,
  settings: EncodeSettings,
): Promise<Embedding> => {
  if (adapter.needs.identity > 0 && !adapter.faces) {
    throw new FaceError(
      'FACE_MODEL_MISSING',
      `${adapter.name} reads a face, and it was attached without face networks`,
      'Give face: { detector, recognizer } to addAdapter',
      { details: { adapter: adapter.name } },
    );
  }
  if (adapter.cropFace && !adapter.faces) context.warn(...closeUpWanted('encode', adapter.name));
  const reader = new PictureReader(context, adapter);
  return embeddingOf(await reader.read({ option: 'encode', ...settings }), adapter, settings.name);
};
