// The config.json of networks whose file has none, by their shapes. source: the configurations that diffusers and transformers
// write for the public models; what is not here is those libraries' default.
import type { SaveResult, TextShape, UnetShape, VaeShape } from '../native/save-types.js';

export type Json = Readonly<Record<string, unknown>>;

/** One number where all are the same. */
const compact = (list: readonly number[]): number | readonly number[] =>
  list.every((value) => value === list[0]) ? list[0]! : list;

/** A level without attention has no heads of its own: it is given what it would have, heads of one width or of one number. */
const headsOf = ({ widths, heads, transformers, linearProjection }: UnetShape): readonly number[] => {
  const has = (i: number): boolean => transformers[i]! > 0 || i === heads.length - 1; // the last has the middle block's
  const first = heads.findIndex((_, i) => has(i));
  const width = widths[first]! / heads[first]!;
  return heads.map((count, i) => {
    if (has(i)) return count;
    return linearProjection ? Math.max(1, Math.floor(widths[i]! / width)) : heads[first]!;
  });
};

const unetConfig = (unet: UnetShape, latents: number): Json => {
  const deep = unet.transformers.map((count, i) => {
    const last = i === unet.transformers.length - 1;
    return count || (last ? unet.midTransformers : 1);
  });
  const block = (side: 'Down' | 'Up') => (count: number) => (count > 0 ? `CrossAttn${side}Block2D` : `${side}Block2D`);
  return {
    _class_name: 'UNet2DConditionModel',
    act_fn: 'silu',
    // trap: this key holds the number of heads
    attention_head_dim: compact(headsOf(unet)),
    block_out_channels: unet.widths,
    center_input_sample: false,
    cross_attention_dim: unet.context,
    down_block_types: unet.transformers.map(block('Down')),
    downsample_padding: 1,
    flip_sin_to_cos: true,
    freq_shift: 0,
    in_channels: unet.inChannels,
    layers_per_block: unet.layers,
    mid_block_scale_factor: 1,
    norm_eps: 1e-5,
    norm_num_groups: unet.groups,
    out_channels: unet.outChannels,
    sample_size: latents,
    transformer_layers_per_block: compact(deep),
    up_block_types: [...unet.transformers].reverse().map(block('Up')),
    use_linear_projection: unet.linearProjection,
    ...(unet.guidanceWidth > 0 && { time_cond_proj_dim: unet.guidanceWidth }),
    ...(unet.pooledWidth > 0 && {
      addition_embed_type: 'text_time',
      addition_time_embed_dim: unet.timeIdWidth,
      projection_class_embeddings_input_dim: unet.pooledWidth + unet.timeIds * unet.timeIdWidth,
    }),
  };
};

const vaeConfig = (vae: VaeShape, side: number, scalingFactor: number, isXl: boolean): Json => ({
  _class_name: 'AutoencoderKL',
  act_fn: 'silu',
  block_out_channels: vae.widths,
  down_block_types: vae.widths.map(() => 'DownEncoderBlock2D'),
  ...(isXl && { force_upcast: true }),
  in_channels: vae.imageChannels,
  latent_channels: vae.latentChannels,
  layers_per_block: vae.layers,
  mid_block_add_attention: vae.midAttention,
  norm_num_groups: vae.groups,
  out_channels: vae.imageChannels,
  sample_size: side,
  scaling_factor: scalingFactor,
  up_block_types: vae.widths.map(() => 'UpDecoderBlock2D'),
  use_post_quant_conv: vae.postQuantConv,
  use_quant_conv: vae.quantConv,
});

const textConfig = (text: TextShape, encoder: number, pad: number): Json => ({
  architectures: [encoder === 0 ? 'CLIPTextModel' : 'CLIPTextModelWithProjection'],
  attention_dropout: 0,
  bos_token_id: text.vocabulary - 2,
  eos_token_id: text.vocabulary - 1,
  hidden_act: text.activation,
  hidden_size: text.width,
  intermediate_size: text.mlp,
  layer_norm_eps: 1e-5,
  max_position_embeddings: text.positions,
  model_type: 'clip_text_model',
  num_attention_heads: text.heads,
  num_hidden_layers: text.layers,
  pad_token_id: pad,
  projection_dim: text.projection || text.width,
  vocab_size: text.vocabulary,
});

/** What a configuration has of the model around the network. */
export interface Around {
  readonly isXl: boolean;
  /** Latent columns that the model was trained at. */
  readonly latents: number;
  /** Pixels per side. */
  readonly side: number;
  readonly scalingFactor: number;
}

/** The config.json of a part by its name in the folder. */
export const configOf = (name: string, network: SaveResult['parts'][number]['network'], around: Around): Json => {
  if (name === 'unet') return unetConfig(network as UnetShape, around.latents);
  if (name === 'vae') return vaeConfig(network as VaeShape, around.side, around.scalingFactor, around.isXl);
  const text = network as TextShape;
  // the second encoder pads with "!", whose id is 0
  return name === 'text_encoder' ? textConfig(text, 0, text.vocabulary - 1) : textConfig(text, 1, 0);
};
