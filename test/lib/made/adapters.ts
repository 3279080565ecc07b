// Shapes of adapter files for a UNet of any size, by variant.
import type { Shapes } from './rule.js';

/** What a variant's projector is and reads. */
export interface Form {
  readonly projector: 'image' | 'resampler' | 'tokens' | 'identity' | 'plus';
  /** Width that it reads of an image encoder; 512 of a resampler: an identity. */
  readonly encoder?: number;
  /** Of each picture or face. Default 4. */
  readonly tokens?: number;
  readonly lora?: boolean;
}

const IDENTITY = 512;
const RANK = 4;

const linear = (name: string, inputs: number, outputs: number, bias = true): Shapes => ({
  [`${name}.weight`]: [outputs, inputs],
  ...(bias && { [`${name}.bias`]: [outputs] }),
});
const norm = (name: string, width: number): Shapes => ({ [`${name}.weight`]: [width], [`${name}.bias`]: [width] });

/** Two layers that attend from `width` wide tokens to features of `encoder`. */
const perceiver = (prefix: string, width: number, encoder: number, out: number): Shapes => {
  const layers = [0, 1].map((l): Shapes => {
    const at = `${prefix}layers.${l}`;
    return {
      ...norm(`${at}.0.norm1`, width),
      ...norm(`${at}.0.norm2`, width),
      ...linear(`${at}.0.to_q`, width, 64, false),
      ...linear(`${at}.0.to_kv`, width, 128, false),
      ...linear(`${at}.0.to_out`, 64, width, false),
      ...norm(`${at}.1.0`, width),
      ...linear(`${at}.1.1`, width, 4 * width, false),
      ...linear(`${at}.1.3`, 4 * width, width, false),
    };
  });
  return Object.assign(
    {},
    linear(`${prefix}proj_in`, encoder, width),
    ...layers,
    linear(`${prefix}proj_out`, width, out),
    norm(`${prefix}norm_out`, out),
  ) as Shapes;
};

const projector = ({ projector: kind, encoder = 0, tokens = 4 }: Form, context: number): Shapes => {
  const identity = {
    ...linear('proj.0', IDENTITY, 2 * IDENTITY),
    ...linear('proj.2', 2 * IDENTITY, tokens * context),
    ...norm('norm', context),
  };
  switch (kind) {
    case 'image':
      return { ...linear('proj', encoder, tokens * context), ...norm('norm', context) };
    case 'tokens':
      return {
        ...linear('proj.0', encoder, encoder),
        ...linear('proj.2', encoder, context),
        ...norm('proj.3', context),
      };
    case 'identity':
      return identity;
    case 'plus':
      return { ...identity, ...perceiver('perceiver_resampler.', context, encoder, context) };
    case 'resampler':
      return { latents: [1, tokens, 64], ...perceiver('', 64, encoder, context) };
  }
};

/** Places of a transformer's path in an adapter file: down, up, then the middle. */
const order = (path: string): number => {
  const [, side, block, attention, index] =
    /^(down|up|mid)_block(?:s\.(\d+))?\.attentions\.(\d+)\.transformer_blocks\.(\d+)/.exec(path)!;
  const part = ['down', 'up', 'mid'].indexOf(side!);
  return ((part * 100 + Number(block ?? 0)) * 100 + Number(attention)) * 100 + Number(index);
};

/** Tensors of an adapter for a UNet with these tensors. */
export const adapterShapes = (form: Form, unet: Shapes): Shapes => {
  const key = '.attn2.to_k.weight';
  const sites = Object.keys(unet)
    .filter((name) => name.endsWith(key))
    .map((name) => name.slice(0, -key.length))
    .sort((a, b) => order(a) - order(b));
  const context = unet[sites[0] + key]![1]!;
  const shapes: Record<string, readonly number[]> = {};
  for (const [name, shape] of Object.entries(projector(form, context))) shapes[`image_proj.${name}`] = shape;
  for (const [i, site] of sites.entries()) {
    const width = unet[site + key]![0]!;
    for (const part of ['k', 'v']) shapes[`ip_adapter.${2 * i + 1}.to_${part}_ip.weight`] = [width, context];
    for (const [attention, states] of form.lora ? [width, context].entries() : [])
      for (const part of ['q', 'k', 'v', 'out']) {
        const at = `ip_adapter.${2 * i + attention}.to_${part}_lora`;
        shapes[`${at}.down.weight`] = [RANK, part === 'k' || part === 'v' ? states : width];
        shapes[`${at}.up.weight`] = [width, RANK];
      }
  }
  return shapes;
};
