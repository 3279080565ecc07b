import type { Group } from '../row.js';
import { ADAPTER, ENCODE, LORA, RUN_LORA, TEXT_EMBEDDING } from './attach.js';
import { COMMAND } from './command.js';
import { CONTROL, CONTROL_NET } from './control.js';
import { CONVERT, MERGE_LORA } from './convert.js';
import { ANALYZER, DETECT, FACE_FILES, IDENTITY } from './face.js';
import { FACE_REFERENCE, GIVEN_FACE } from './faces.js';
import { GENERATE } from './generate.js';
import { HIRES, PREVIEW } from './hires.js';
import { INIT } from './init.js';
import { FREE_U, REUSE } from './less.js';
import { IMAGES, LOAD, MEMORY } from './load.js';
import { NEGATIVE_NOISE } from './negative.js';
import { PULL } from './pull.js';
import { REFERENCE } from './reference.js';
import { NEGATIVE_SIZE, SIZE } from './size.js';
import { INSPECT, RECIPE, TO_FILE } from './small.js';

/** Every option of the library and its command line, by the object that holds it. */
export const TABLE = {
  generate: GENERATE,
  size: SIZE,
  negativeSize: NEGATIVE_SIZE,
  init: INIT,
  hires: HIRES,
  preview: PREVIEW,
  reuse: REUSE,
  freeU: FREE_U,
  reference: REFERENCE,
  givenFace: GIVEN_FACE,
  negativeNoise: NEGATIVE_NOISE,
  faceReference: FACE_REFERENCE,
  load: LOAD,
  memory: MEMORY,
  images: IMAGES,
  adapter: ADAPTER,
  encode: ENCODE,
  faceFiles: FACE_FILES,
  lora: LORA,
  runLora: RUN_LORA,
  textEmbedding: TEXT_EMBEDDING,
  controlNet: CONTROL_NET,
  control: CONTROL,
  analyzer: ANALYZER,
  detect: DETECT,
  identity: IDENTITY,
  toFile: TO_FILE,
  inspect: INSPECT,
  pull: PULL,
  convert: CONVERT,
  mergeLora: MERGE_LORA,
  recipe: RECIPE,
  command: COMMAND,
} as const satisfies Record<string, Group>;
