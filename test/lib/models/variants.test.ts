// Folders as they are published: fp16 variants and shards, of every part; a shard that is missing is named.
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { convert, Pipeline } from '../../../lib/index.js';
import { readSafetensors, writeSafetensors } from '../ldm-file.js';
import { modelFolder, scratch } from '../made/models.js';
import { digestOf, failure } from '../sketch.js';

const folder = scratch();
const model = await modelFolder(folder, 'sdxl');
const bases = {
  unet: 'diffusion_pytorch_model',
  vae: 'diffusion_pytorch_model',
  text_encoder: 'model',
  text_encoder_2: 'model',
};

const picture = async (): Promise<string> => {
  await using pipe = await Pipeline.load(model);
  const { images } = await pipe.generate({ prompt: 'a barn', width: 64, height: 64, steps: 1, seed: 5 });
  return digestOf(images[0]!.data);
};

t.test('variants and shards draw the same picture and convert alike', async (test) => {
  const expected = await picture();
  for (const [part, base] of Object.entries(bases))
    renameSync(join(model, part, `${base}.safetensors`), join(model, part, `${base}.fp16.safetensors`));
  test.equal(await picture(), expected, 'fp16');
  const whole = join(folder, 'whole.safetensors');
  await convert(model, whole);

  for (const [part, base] of Object.entries(bases)) {
    const path = join(model, part, `${base}.fp16.safetensors`);
    const tensors = [...readSafetensors(path)];
    const half = Math.ceil(tensors.length / 2);
    const map: Record<string, string> = {};
    for (const [i, some] of [tensors.slice(0, half), tensors.slice(half)].entries()) {
      const shard = `${base}.fp16-0000${i + 1}-of-00002.safetensors`;
      writeSafetensors(join(model, part, shard), new Map(some));
      for (const [name] of some) map[name] = shard;
    }
    rmSync(path);
    writeFileSync(
      join(model, part, `${base}.safetensors.index.fp16.json`),
      JSON.stringify({ metadata: {}, weight_map: map }),
    );
  }
  test.equal(await picture(), expected, 'shards');
  const sharded = join(folder, 'sharded.safetensors');
  await convert(model, sharded);
  const [a, b] = [readSafetensors(whole), readSafetensors(sharded)];
  test.same([...b.keys()], [...a.keys()]);
  for (const [name, { bytes }] of a) if (!b.get(name)!.bytes.equals(bytes)) test.fail(name);

  for (const [part, base] of Object.entries(bases)) {
    const shard = `${base}.fp16-00002-of-00002.safetensors`;
    renameSync(join(model, part, shard), join(folder, shard));
    for (const work of [() => Pipeline.load(model), () => convert(model, join(folder, 'x'))]) {
      const error = (await failure(work())) as unknown as { code: string; message: string };
      test.match(error, { code: 'MODEL_HEADER_INVALID', message: new RegExp(`${shard}.* is missing`) }, part);
    }
    renameSync(join(folder, shard), join(model, part, shard));
  }
  test.notOk(readdirSync(folder).some((name) => name.startsWith('x')));
});
