// SDXL: a text embedding has vectors for both text encoders.
import { join } from 'node:path';
import t from 'tap';
import { type GenerateOptions, Pipeline } from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { writeSafetensors } from '../ldm-file.js';
import { modelFolder, scratch } from '../made/models.js';
import { digestOf, failure } from '../sketch.js';
import { tokenTable } from './tokens.js';

const folder = scratch();
const model = await modelFolder(folder, 'sdxl');
const tables = ['text_encoder', 'text_encoder_2'].map((part) => tokenTable(join(model, part, 'model.safetensors')));
const names = ['clip_l', 'clip_g'];

const written = (name: string, tensors: readonly (readonly [string, readonly number[], Float32Array])[]): string => {
  const path = join(folder, name);
  const entries = tensors.map(([key, shape, { buffer, byteOffset, byteLength }]) => {
    const bytes = Buffer.from(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
    return [key, { dtype: 'F32', shape, bytes }] as const;
  });
  writeSafetensors(path, new Map(entries));
  return path;
};

t.test('both encoders read its vectors', async (test) => {
  const pipe = await Pipeline.load(model);
  test.teardown(() => pipe.dispose());
  const towers = pipelineParts(pipe).model.text;
  const rows = (text: string) =>
    tables.map(({ width, rows: row }, tower) => {
      const ids = towers[tower]!.tokenizer.ids(text);
      return [names[tower]!, [ids.length, width], Float32Array.from(ids.flatMap((id) => [...row(id)]))] as const;
    });
  const draw = async (options: Partial<GenerateOptions>): Promise<string> => {
    const scene = { width: 128, height: 64, steps: 1, seed: 5, guidanceScale: 4, prompt: 'a cat' };
    return digestOf((await pipe.generate({ ...scene, ...options })).images[0]!.data);
  };
  const widths = tables.map(({ width }) => width);
  const embedding = await pipe.addTextEmbedding(written('zqx.safetensors', rows('red barn')));
  test.match(embedding.info, { vectors: 2, widths, encoders: 2 });
  await pipe.addTextEmbedding(written('zqy.safetensors', [rows('red barn')[0]!, rows('blue lake')[1]!]));

  test.equal(await draw({ prompt: 'a (zqx:1.3), cat' }), await draw({ prompt: 'a (red barn:1.3), cat' }));
  test.equal(
    await draw({ prompt: 'a zqy' }),
    await draw({ prompt: 'a red barn', prompt2: 'a blue lake' }),
    'each its own',
  );
  test.equal(await draw({ negativePrompt: 'zqx!' }), await draw({ negativePrompt: 'red barn!' }));
  test.equal(await draw({ prompt2: 'a zqx' }), await draw({ prompt2: 'a red barn' }), 'pooled text too');

  const [clipL, clipG] = rows('red barn');
  const refused = async (name: string, tensors: Parameters<typeof written>[1], message: RegExp): Promise<void> => {
    const error = await failure(pipe.addTextEmbedding(written(name, tensors)));
    test.match(error, { code: 'TENSOR_SHAPE', message }, name);
  };
  await refused('one.safetensors', [clipL!], /expected \[n, \d+\] and \[n, \d+\]/);
  await refused('sd15.safetensors', [['emb_params', [1, 768], new Float32Array(768)]], /"emb_params" \[1, 768\]/);
  await refused('uneven.safetensors', [clipL!, ['clip_g', [1, widths[1]!], clipG![2].slice(0, widths[1])]], /clip_g/);
});
