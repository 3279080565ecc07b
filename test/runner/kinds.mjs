// The one table of what golden cases ask: the first row that fits a case's content is its kind. Ids, file names and
// prefixes are never looked at. `half` is who checks it: the native program ipa_golden or the scripts beside this file.
// `later` is what this version does not have yet; such cases count as "not yet". Those of `trueSize` take gigabytes and
// minutes: they run where they are asked for.

/**
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {{ kind: string, half?: 'native' | 'script', later?: string, trueSize?: boolean, fits: (c: Case) => boolean }} Kind
 */

const family =
  (/** @type {string} */ name, /** @type {(c: Case) => boolean} */ also = () => true) =>
  (/** @type {Case} */ c) =>
    c.info?.family === name && also(c);
/** A table whose first row has these keys. */
const rows =
  (/** @type {string} */ list, /** @type {string[]} */ ...keys) =>
  (/** @type {Case} */ c) => {
    const first = c.table?.[list]?.[0];
    return first !== undefined && keys.every((key) => Object.hasOwn(first, key));
  };
const has = (/** @type {string} */ start) => (/** @type {Case} */ c) => c.keys.some((key) => key.startsWith(start));
const weights = (/** @type {Case} */ c) => c.info.weights ?? {};
/** Class of the network that is the whole of `weights`. */
const networkClass = (/** @type {Case} */ c) => {
  const prefix =
    typeof weights(c) === 'string' ? weights(c) : Object.keys(weights(c)).length === 1 ? weights(c).unet : undefined;
  return prefix === undefined ? undefined : c.folder.model(prefix).class;
};
const network = (/** @type {string[]} */ ...classes) => family('network', (c) => classes.includes(networkClass(c)));
const trueSize = (/** @type {string[]} */ ...classes) => family('true-size', (c) => classes.includes(networkClass(c)));
/** @type {readonly Kind[]} */
export const kinds = [
  { kind: 'module', half: 'native', fits: family('module') },

  {
    kind: 'network/t2i-adapter',
    half: 'native',
    fits: family('network', (c) => weights(c).adapter !== undefined),
  },
  {
    kind: 'network/controlnet',
    half: 'native',
    fits: family('network', (c) => weights(c).controlnet !== undefined || networkClass(c) === 'ControlNetModel'),
  },
  {
    kind: 'network/tiled-vae',
    half: 'native',
    fits: family('network', (c) => c.info.tile_latent !== undefined),
  },
  { kind: 'network/unet', half: 'native', fits: network('UNet2DConditionModel') },
  { kind: 'network/vae', half: 'native', fits: network('AutoencoderKL') },
  { kind: 'network/clip-text', half: 'native', fits: network('CLIPTextModel', 'CLIPTextModelWithProjection') },
  { kind: 'network/clip-vision', half: 'native', fits: network('CLIPVisionModelWithProjection') },

  { kind: 'network/controlnet', half: 'native', trueSize: true, fits: trueSize('ControlNetModel') },
  { kind: 'network/unet', half: 'native', trueSize: true, fits: trueSize('UNet2DConditionModel') },
  { kind: 'network/vae', half: 'native', trueSize: true, fits: trueSize('AutoencoderKL') },
  {
    kind: 'network/clip-text',
    half: 'native',
    trueSize: true,
    fits: trueSize('CLIPTextModel', 'CLIPTextModelWithProjection'),
  },
  { kind: 'network/clip-vision', half: 'native', trueSize: true, fits: trueSize('CLIPVisionModelWithProjection') },

  { kind: 'projector', half: 'native', fits: family('projector') },

  { kind: 'adapter/combine', half: 'native', fits: family('adapter', has('in/negative')) },
  {
    kind: 'adapter/embeds-scaling',
    half: 'native',
    fits: family('adapter', (c) => c.info.config?.embeds_scaling !== undefined),
  },
  { kind: 'adapter/masks', half: 'native', fits: family('adapter', has('in/masks')) },
  { kind: 'adapter/inner-lora', half: 'native', fits: family('adapter', (c) => c.info.lora_strength !== undefined) },
  { kind: 'adapter/image-prompts', half: 'native', fits: family('adapter', (c) => weights(c).unet !== undefined) },
  { kind: 'adapter/weight-types', half: 'script', fits: rows('cases', 'type', 'per_layer') },
  { kind: 'adapter/windows', half: 'script', fits: rows('cases', 'fraction_rule', 'sigma_rule') },

  {
    kind: 'pipeline/controlnet',
    half: 'script',
    fits: family('pipeline', (c) => weights(c).controlnet !== undefined),
  },
  { kind: 'pipeline/inpaint', half: 'script', fits: family('pipeline', (c) => c.keys.includes('in/mask')) },
  {
    kind: 'pipeline/image-to-image',
    half: 'script',
    fits: family('pipeline', (c) => c.keys.includes('in/image') || c.info.arguments.strength !== undefined),
  },
  { kind: 'pipeline/masks', half: 'script', fits: family('pipeline', has('in/masks')) },
  {
    kind: 'pipeline',
    half: 'script',
    fits: family('pipeline', (c) => c.keys.includes('in/ids') || c.keys.includes('in/chunks')),
  },

  { kind: 'scheduler', half: 'script', fits: family('scheduler') },
  { kind: 'scheduler/tables', half: 'script', fits: rows('rows', 'sampler', 'timesteps') },

  { kind: 'random/torch-cpu', half: 'native', fits: family('random') },
  {
    kind: 'random/philox',
    half: 'native',
    fits: (c) => rows('philox', 'counter', 'key')(c) && rows('randn', 'seed')(c),
  },

  { kind: 'text/emphasis', half: 'native', fits: family('text', has('in/weights')) },
  { kind: 'text/tokens', half: 'script', fits: rows('rows', 'text', 'ids') },
  { kind: 'text/weights', half: 'script', fits: rows('rows', 'text', 'parsed') },
  { kind: 'text/chunks', half: 'script', fits: rows('rows', 'text', 'chunks') },
  { kind: 'text/directives', half: 'script', fits: rows('rows', 'text', 'clean', 'found') },

  {
    kind: 'image/mask-grids',
    half: 'native',
    fits: family('image', (c) => c.keys.some((key) => /^out\/.*\.(diffusers|comfy|exact-bilinear)\./.test(key))),
  },
  { kind: 'image/inpaint-mask', half: 'native', fits: family('image', (c) => c.keys.includes('out/binary')) },
  { kind: 'image/crop-regions', half: 'native', fits: rows('rows', 'mask_box_x1y1x2y2', 'region') },
  {
    kind: 'image/resize',
    half: 'native',
    fits: family('image', (c) => c.keys.includes('out/lanczos') || c.keys.includes('out/bicubic')),
  },
  {
    kind: 'image/clip',
    half: 'native',
    fits: family('image', (c) => c.keys.includes('out/crop') && c.info.pixel_step !== undefined),
  },
  { kind: 'image/detector', half: 'native', fits: family('image', has('in/output.')) },
  { kind: 'image/alignment', half: 'native', fits: family('image', has('in/landmarks')) },

  { kind: 'onnx', half: 'native', fits: family('onnx') },

  { kind: 'lora', half: 'native', fits: family('lora') },

  { kind: 'files', half: 'native', fits: rows('files', 'file', 'tensors') },
  { kind: 'malformed', half: 'native', fits: rows('files', 'file', 'kind') },
];

/** @param {Case} c @returns {Kind | undefined} */
export const kindOf = (c) => kinds.find((row) => row.fits(c));
