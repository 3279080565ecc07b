import { FaceError, OptionError } from '../errors.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import type { Warn } from '../warnings.js';
import type { AdapterParts } from './adapter.js';
import { closeUpWanted } from './close-up.js';
import { checkEmbedding } from './embedding.js';
import type { ReferenceSettings } from './reference.js';
import { spreads } from './weight-types.js';

/** Checks a reference against its adapter before any work; options that cannot act are warned of. */
export const checkReference = (
  reference: ReferenceSettings,
  adapter: AdapterParts,
  guided: boolean,
  warn: Warn,
): void => {
  const { option, face, images, weights } = reference;
  const { needs, row } = adapter;
  const conflict = (name: string, why: string): void =>
    warn('OPTION_CONFLICT', `${option}.${name} has no effect: ${why}`);
  if (face && needs.identity === 0) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option}.face does not go with ${adapter.name}, which reads pictures`,
      'Give image or images',
      { details: { option } },
    );
  }
  if (face && adapter.encoder && !face.crop) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option}.face has no crop, which ${adapter.name} reads beside the identity`,
      'Give the face as FaceAnalyzer.identity returns it',
      { details: { option: `${option}.face.crop` } },
    );
  }
  if (reference.embedding) {
    checkEmbedding(reference.embedding, adapter, `${option}.embedding`);
    for (const name of ['fit', 'anchor', 'clipMask', 'pickFace', 'onMissing'] as const)
      if (reference[name] !== undefined) conflict(name, 'it acts when an embedding is made');
  }
  if (reference.tiles && (images.length === 0 || needs.identity > 0)) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option}.tiles does not go with ${images.length === 0 ? 'an embedding or a face: tiles are cut from pictures' : `${adapter.name}, which reads faces`}`,
      'Leave tiles out',
      { details: { option: `${option}.tiles` } },
    );
  }
  if (images.length > 0 && needs.identity > 0 && !adapter.faces) {
    throw new FaceError(
      'FACE_MODEL_MISSING',
      `${adapter.name} reads a face, and it was attached without face networks`,
      'Give face: { detector, recognizer } to addAdapter, or a ready face in the reference',
      { details: { option } },
    );
  }
  if (reference.weightMode !== undefined && !weights) conflict('weightMode', 'there are no weights');
  const cutsFaces = adapter.cropFace && adapter.faces !== undefined;
  if (images.length > 0 && adapter.cropFace && !cutsFaces) warn(...closeUpWanted(option, adapter.name));
  for (const name of ['pickFace', 'outliers', 'onMissing'] as const) {
    const isWhole = needs.identity === 0 && !(name === 'pickFace' && cutsFaces);
    if (reference[name] !== undefined && isWhole) conflict(name, `${row.title} reads the whole picture`);
  }
  const asks = { 'combine "best"': reference.combine === 'best', 'weights "quality"': weights === 'quality' };
  for (const [what, isAsked] of Object.entries(asks)) {
    if (!isAsked) continue;
    if (needs.identity === 0) conflict(what, `${row.title} reads whole pictures, of which no face is judged`);
    else if (reference.embedding && reference.embedding.info.entries > 1 && !reference.embedding.info.qualities)
      conflict(what, 'the embedding was made without judging its faces; make it again');
  }
  if (reference.combine === 'best' && weights && needs.identity > 0)
    conflict('weights', 'combine "best" takes one face alone');
  if (reference.loraScale !== undefined && !adapter.lora) conflict('loraScale', `${adapter.name} has no LoRA`);
  if (reference.structureScale !== undefined && adapter.version !== 'v2')
    conflict('structureScale', 'it belongs to FaceID Plus v2');
  if (reference.renormalize !== undefined && needs.identity === 0)
    conflict('renormalize', `${row.title} reads pictures, not identities`);
  for (const name of ['fit', 'anchor', 'clipMask'] as const)
    if (reference[name] !== undefined && needs.identity > 0) conflict(name, `${row.title} reads faces`);
  if (reference.negative && !adapter.encoder) conflict('negative', `${row.title} reads identities alone`);
  if (reference.uncond !== undefined && adapter.encoder?.need.output !== 'penultimate')
    conflict('uncond', `for ${row.title} no picture is a vector of zeros`);
  if (reference.maskMode !== undefined && !reference.mask) conflict('maskMode', 'there is no mask');
  for (const name of ['negative', 'uncond'] as const)
    if (reference[name] !== undefined && !guided) conflict(name, 'it acts by guidance, which is off');
  const { weightType: type = defaultOf(REFERENCE, 'weightType') } = reference;
  if (reference.compositionImage && needs.identity > 0) conflict('compositionImage', `${row.title} reads faces`);
  if (reference.compositionScale !== undefined && !spreads(type, 'compositionScale'))
    conflict('compositionScale', `weight type "${type}" has no composition of its own`);
  if (reference.boost !== undefined && !spreads(type, 'boost'))
    conflict('boost', `weight type "${type}" pushes nothing away`);
  if (spreads(type, 'boost') && !guided) conflict('weightType', `"${type}" pushes away by guidance, which is off`);
};
