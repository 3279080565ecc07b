// Weight files of true size that take no disk: real headers, and a hole where the numbers would be.
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Shapes = ReadonlyMap<string, readonly number[]>;

export const numbers = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

const BYTES = { F16: 2, F32: 4 } as const;
type Dtype = keyof typeof BYTES;

/** Writes a safetensors file of these tensors; returns the bytes of their numbers. */
export const writeSparse = (file: string, shapes: Shapes, dtypeOf: (name: string) => Dtype = () => 'F16'): number => {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of shapes) {
    const dtype = dtypeOf(name);
    const end = at + numbers(shape) * BYTES[dtype];
    header[name] = { dtype, shape, data_offsets: [at, end] };
    at = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, length);
  writeSync(descriptor, json);
  ftruncateSync(descriptor, 8 + json.length + at);
  closeSync(descriptor);
  return at;
};

/** Names and shapes of a network of the reference. */
const listed = (name: string): Shapes => {
  const file = fileURLToPath(new URL(`../../golden/models/${name}.json`, import.meta.url));
  const { tensors } = JSON.parse(readFileSync(file, 'utf8')) as { tensors: Record<string, number[]> };
  return new Map(Object.entries(tensors));
};

type Change = (shape: readonly number[], name: string) => readonly number[];
const changed = (shapes: Shapes, change: Change): Shapes =>
  new Map([...shapes].map(([name, shape]) => [name, change(shape, name)]));

const unet15 = listed('true-unet15');
const unetXl = listed('true-unetxl');
const nine: Change = (shape, name) => (name === 'conv_in.weight' ? [320, 9, 3, 3] : shape);
const sd21: Change = (shape, name) => {
  if (/attn2\.to_[kv]\.weight$/.test(name)) return [shape[0]!, 1024];
  return /\.proj_(in|out)\.weight$/.test(name) ? shape.slice(0, 2) : shape; // linear there
};

export const UNETS = {
  'SD1.5': unet15,
  'SD1.5 inpainting': changed(unet15, nine),
  SDXL: unetXl,
  'SDXL inpainting': changed(unetXl, nine),
  'SD2.1': changed(unet15, sd21),
} as const satisfies Record<string, Shapes>;

const visionH = listed('true-vision-h');

/** ViT-L is ViT-H with other numbers; its picture has 336 px or 224. */
const visionL = (positions: number): Shapes => {
  const sides: Readonly<Record<number, number>> = { 1280: 1024, 5120: 4096 };
  const kept = [...visionH].filter(([name]) => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? 0) < 24);
  return changed(new Map(kept), (shape, name) => {
    if (name === 'visual_projection.weight') return [768, 1024];
    if (name.endsWith('position_embedding.weight')) return [positions, 1024];
    return shape.map((side) => sides[side] ?? side);
  });
};

export const ENCODERS = {
  H: visionH,
  G: listed('true-vision-g'),
  L336: visionL(577),
  L224: visionL(257),
} as const satisfies Record<string, Shapes>;

/** Kolors FaceID Plus: six tokens of 4096, a perceiver as wide, over ViT-L. */
const kolorsFaceId = (): Shapes =>
  changed(listed('ipa-true-sdxl-faceid-plusv2/image_proj'), (shape, name) => {
    if (name === 'perceiver_resampler.proj_in.weight') return [4096, 1024];
    if (name.startsWith('proj.2.')) return [6 * 4096, ...shape.slice(1)];
    return name.startsWith('proj.0.') ? shape : shape.map((side) => (side >= 2048 ? 2 * side : side));
  });

/** Attentions in the authors' order: down, up, mid; a self-attention before each cross-attention. */
const attentions = (unet: Shapes): readonly string[] => {
  const rank = (name: string): number => ['down', 'up', 'mid'].findIndex((block) => name.startsWith(block));
  return [...unet.keys()]
    .filter((name) => /\.attn[12]\.to_k\.weight$/.test(name))
    .map((name) => name.replace(/to_k\.weight$/, ''))
    .map((name, i) => ({ name, i }))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.i - b.i)
    .map(({ name }) => name);
};

/** The tensors of an adapter: its projector, K and V of every cross-attention, a LoRA of every attention. */
export const adapterShapes = (projector: string, unet: Shapes, { lora = false, group = 'ip_adapter' } = {}): Shapes => {
  const shapes = new Map<string, readonly number[]>();
  const own = projector === 'kolors-faceid' ? kolorsFaceId() : listed(`ipa-true-${projector}/image_proj`);
  for (const [name, shape] of own) shapes.set(`image_proj.${name}`, shape);
  for (const [i, at] of attentions(unet).entries()) {
    for (const part of ['k', 'v']) {
      if (i % 2) shapes.set(`${group}.${i}.to_${part}_ip.weight`, unet.get(`${at}to_${part}.weight`)!);
    }
    if (!lora) continue;
    for (const layer of ['to_q', 'to_k', 'to_v', 'to_out']) {
      const [rows, columns] = unet.get(`${at}${layer === 'to_out' ? 'to_out.0' : layer}.weight`) as [number, number];
      shapes.set(`${group}.${i}.${layer}_lora.down.weight`, [128, columns]);
      shapes.set(`${group}.${i}.${layer}_lora.up.weight`, [rows, 128]);
    }
  }
  return shapes;
};
