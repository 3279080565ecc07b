// Writes a diffusers folder of SD1.5's or SDXL's topology as one checkpoint file with the original names. Inverse of
// diffusion.md 5.3.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

/** The tensors of a safetensors file. */
export const readSafetensors = (path: string): Map<string, Entry> => {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return new Map(
    entries.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, bytes: file.subarray(8 + length + from, 8 + length + to) }],
    ),
  );
};

/** A safetensors file of these tensors, in their order. */
export const writeSafetensors = (path: string, all: ReadonlyMap<string, Entry>): void => {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, { dtype, shape, bytes }] of all) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(path, Buffer.concat([length, padded, ...[...all.values()].map(({ bytes }) => bytes)]));
};

const RESNET = [
  ['norm1', 'in_layers.0'],
  ['conv1', 'in_layers.2'],
  ['time_emb_proj', 'emb_layers.1'],
  ['norm2', 'out_layers.0'],
  ['conv2', 'out_layers.3'],
  ['conv_shortcut', 'skip_connection'],
] as const;
const inResnet = (name: string): string =>
  RESNET.reduce((text, [from, to]) => text.replace(`.${from}.`, `.${to}.`), name);

const unetName = (name: string, names: ReadonlySet<string>): string => {
  const fixed = [
    ['time_embedding.linear_1', 'time_embed.0'],
    ['time_embedding.linear_2', 'time_embed.2'],
    ['conv_in', 'input_blocks.0.0'],
    ['add_embedding.linear_1', 'label_emb.0.0'],
    ['add_embedding.linear_2', 'label_emb.0.2'],
    ['conv_norm_out', 'out.0'],
    ['conv_out', 'out.2'],
  ] as const;
  for (const [from, to] of fixed) if (name.startsWith(`${from}.`)) return to + name.slice(from.length);
  const mid = /^mid_block\.(resnets|attentions)\.(\d)(.*)$/.exec(name);
  if (mid)
    return mid[1] === 'attentions'
      ? `middle_block.1${mid[3]}`
      : inResnet(`middle_block.${mid[2] === '0' ? 0 : 2}${mid[3]}`);
  const [, side, block, part, index, rest] = /^(down|up)_blocks\.(\d)\.(\w+)\.(\d)(.*)$/.exec(name)!;
  const at = 3 * Number(block) + Number(index);
  if (side === 'down') {
    if (part === 'downsamplers') return `input_blocks.${3 * Number(block) + 3}.0.op${rest!.replace('.conv', '')}`;
    return part === 'resnets' ? inResnet(`input_blocks.${at + 1}.0${rest}`) : `input_blocks.${at + 1}.1${rest}`;
  }
  if (part !== 'upsamplers')
    return part === 'resnets' ? inResnet(`output_blocks.${at}.0${rest}`) : `output_blocks.${at}.1${rest}`;
  const attends = [...names].some((other) => other.startsWith(`up_blocks.${block}.attentions.`));
  return `output_blocks.${3 * Number(block) + 2}.${attends ? 2 : 1}${rest}`;
};

const vaeName = (name: string, levels: number): string =>
  name
    .replace(/^(encoder|decoder)\.conv_norm_out\./, '$1.norm_out.')
    .replace(/^encoder\.down_blocks\.(\d)\.resnets\./, 'encoder.down.$1.block.')
    .replace(/^encoder\.down_blocks\.(\d)\.downsamplers\.0\./, 'encoder.down.$1.downsample.')
    .replace(/^decoder\.up_blocks\.(\d)\.resnets\./, (_, i) => `decoder.up.${levels - 1 - Number(i)}.block.`)
    .replace(/^decoder\.up_blocks\.(\d)\.upsamplers\.0\./, (_, i) => `decoder.up.${levels - 1 - Number(i)}.upsample.`)
    .replace(/\.mid_block\.resnets\.(\d)\./, (_, i) => `.mid.block_${Number(i) + 1}.`)
    .replace('.mid_block.attentions.0.', '.mid.attn_1.')
    .replace('.group_norm.', '.norm.')
    .replace(/\.to_(q|k|v)\./, '.$1.')
    .replace('.to_out.0.', '.proj_out.')
    .replace('.conv_shortcut.', '.nin_shortcut.');

/** A text encoder in the names of open_clip: q, k and v in one matrix, the projection turned. */
const openClip = (encoder: ReadonlyMap<string, Entry>): Map<string, Entry> => {
  const all = new Map<string, Entry>();
  const layers = /^text_model\.encoder\.layers\.(\d+)\.(.*)$/;
  const NAMES: Readonly<Record<string, string>> = {
    'text_model.embeddings.token_embedding.weight': 'token_embedding.weight',
    'text_model.embeddings.position_embedding.weight': 'positional_embedding',
    'text_model.final_layer_norm.weight': 'ln_final.weight',
    'text_model.final_layer_norm.bias': 'ln_final.bias',
  };
  for (const [name, entry] of encoder) {
    const [, layer, rest] = layers.exec(name) ?? [];
    if (layer === undefined) {
      if (NAMES[name]) all.set(NAMES[name], entry);
      continue;
    }
    const at = `transformer.resblocks.${layer}`;
    if (/self_attn\.[kv]_proj/.test(rest!)) continue;
    if (rest!.startsWith('self_attn.q_proj')) {
      const three = ['q', 'k', 'v'].map((part) => encoder.get(name.replace('q_proj', `${part}_proj`))!);
      const shape = [3 * entry.shape[0]!, ...entry.shape.slice(1)];
      const bytes = Buffer.concat(three.map((one) => one.bytes));
      all.set(`${at}.attn.in_proj_${name.split('.').at(-1)}`, { ...entry, shape, bytes });
      continue;
    }
    const renamed = rest!
      .replace('self_attn.out_proj', 'attn.out_proj')
      .replace('layer_norm', 'ln_')
      .replace('mlp.fc1', 'mlp.c_fc')
      .replace('mlp.fc2', 'mlp.c_proj');
    all.set(`${at}.${renamed}`, entry);
  }
  const projection = encoder.get('text_projection.weight')!;
  const [rows, columns] = projection.shape as readonly [number, number];
  const turned = Buffer.alloc(projection.bytes.length);
  for (let r = 0; r < rows; ++r)
    for (let c = 0; c < columns; ++c)
      turned.writeFloatLE(projection.bytes.readFloatLE(4 * (r * columns + c)), 4 * (c * rows + r));
  all.set('text_projection', { ...projection, shape: [columns, rows], bytes: turned });
  return all;
};

/** `folder` (unet, vae, text_encoder, of SDXL text_encoder_2) in one file at `path`. */
export const writeLdmFile = (folder: string, path: string, keep: (name: string) => boolean = () => true): void => {
  const all = new Map<string, Entry>();
  const unet = readSafetensors(join(folder, 'unet', 'diffusion_pytorch_model.safetensors'));
  const names = new Set(unet.keys());
  for (const [name, entry] of unet) all.set(`model.diffusion_model.${unetName(name, names)}`, entry);
  const vae = readSafetensors(join(folder, 'vae', 'diffusion_pytorch_model.safetensors'));
  const levels = new Set([...vae.keys()].flatMap((name) => /^decoder\.up_blocks\.(\d)/.exec(name)?.[1] ?? [])).size;
  for (const [name, entry] of vae) {
    const renamed = vaeName(name, levels);
    // the original's attention is made of 1 × 1 convolutions
    const shape =
      /\.attn_1\.(q|k|v|proj_out)\.weight$/.test(renamed) && entry.shape.length === 2
        ? [...entry.shape, 1, 1]
        : entry.shape;
    all.set(`first_stage_model.${renamed}`, { ...entry, shape });
  }
  const second = join(folder, 'text_encoder_2', 'model.safetensors');
  const text = existsSync(second) ? 'conditioner.embedders.0.transformer.' : 'cond_stage_model.transformer.';
  for (const [name, entry] of readSafetensors(join(folder, 'text_encoder', 'model.safetensors')))
    all.set(text + name, entry);
  for (const [name, entry] of existsSync(second) ? openClip(readSafetensors(second)) : [])
    all.set(`conditioner.embedders.1.model.${name}`, entry);
  writeSafetensors(path, new Map([...all].filter(([name]) => keep(name))));
};
