// LoRA files and FaceID adapters for the bundled model, made of numbers that are about as large as trained ones.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, type Pipeline } from '../../lib/index.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { writeSafetensors } from './ldm-file.js';
import { sketch } from './sketch.js';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** Numbers that depend on the tensor's name: the same name has the same ones in every file. */
const numbers = (name: string, count: number, size: number): Float32Array => {
  let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * size;
  });
};

interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}
export type Tensors = ReadonlyMap<string, Tensor>;

export const madeUp = (shapes: Shapes, size = 0.1): Tensors =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      {
        shape,
        values: numbers(
          name,
          shape.reduce((a, b) => a * b),
          size,
        ),
      },
    ]),
  );

const folder = mkdtempSync(join(tmpdir(), 'ipa-loras-'));

/** The path of a file with these tensors. */
export const written = (name: string, tensors: Tensors): string => {
  const path = join(folder, `${name}.safetensors`);
  const entries = [...tensors].map(
    ([key, { shape, values }]) => [key, { dtype: 'F32', shape, bytes: Buffer.from(values.buffer) }] as const,
  );
  writeSafetensors(path, new Map(entries));
  return path;
};

/** Both factors of linear layers, in kohya's names. */
export const kohya = (layers: Readonly<Record<string, readonly [out: number, inputs: number]>>, rank = 4): Tensors =>
  madeUp(
    Object.fromEntries(
      Object.entries(layers).flatMap(([layer, [out, inputs]]) => [
        [`${layer}.lora_down.weight`, [rank, inputs]],
        [`${layer}.lora_up.weight`, [out, rank]],
      ]),
    ),
    0.3,
  );

const ATTENTION = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0';
const TEXT = 'lora_te_text_model_encoder_layers';

/** Layers of the bundled model's UNet and text encoder. */
export const LAYERS = {
  unet: { [`${ATTENTION}_attn1_to_q`]: [32, 32], [`${ATTENTION}_attn2_to_v`]: [32, 128] },
  text: { [`${TEXT}_0_self_attn_q_proj`]: [128, 128], [`${TEXT}_1_mlp_fc1`]: [512, 128] },
} as const;

/** A FaceID adapter of the bundled model's own shapes, with and without its LoRA, and the LoRA alone as kohya names it. */
export const faceId = async (pipe: Pipeline): Promise<{ full: Tensors; bare: Tensors; companion: Tensors }> => {
  const { tensors } = await inspect(sketch.adapters.faceid, { sha256: false });
  const full = madeUp(Object.fromEntries(tensors.map(({ name, shape }) => [name, shape])), 0.15);
  const isLora = (name: string): boolean => name.includes('_lora.');
  // the authors number attentions down, up, mid
  const place = (path: string): number => ['down', 'up', 'mid'].findIndex((side) => path.startsWith(side));
  const sites = [...pipelineParts(pipe).model.unet.info.sites!].sort((a, b) => place(a.path) - place(b.path));
  const renamed = (name: string): string => {
    const [, n, layer, factor] = /^ip_adapter\.(\d+)\.(to_\w+)_lora\.(down|up)\.weight$/.exec(name)!;
    const site = sites[Math.floor(Number(n) / 2)]!.path.replace(/attn2$/, Number(n) % 2 === 0 ? 'attn1' : 'attn2');
    const module = `${site}.${layer === 'to_out' ? 'to_out.0' : layer}`.replaceAll('.', '_');
    return `lora_unet_${module}.lora_${factor}.weight`;
  };
  return {
    full,
    bare: new Map([...full].filter(([name]) => !isLora(name))),
    companion: new Map([...full].filter(([name]) => isLora(name)).map(([name, tensor]) => [renamed(name), tensor])),
  };
};
