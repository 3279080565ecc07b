// Called by examples/adapters/stage.mjs with the pictures of an example: each is drawn again from the record in its file, to the
// same pixels. What it was made of is found in the folders of the test.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pipeline, readMetadata, recipeOf } from 'node-ip-adapter';

const open = async ({ model, load, adapters, loras, textEmbeddings, controlNets }) => {
  const pipe = await Pipeline.load(model, load);
  for (const { file, options } of adapters) await pipe.addAdapter(file, options);
  for (const { file, options } of loras) await pipe.addLora(file, options);
  for (const { file, options } of textEmbeddings) await pipe.addTextEmbedding(file, options);
  for (const { file, options } of controlNets) await pipe.addControlNet(file, options);
  return pipe;
};

export default async (name, folder, pictures) => {
  const drawn = [...new Set(pictures.map((picture) => picture.of ?? picture))].filter(({ metadata }) => metadata);
  const files = join(folder, 'drawn', name);
  mkdirSync(files, { recursive: true });
  const at = (i) => join(files, `${i}.png`);
  for (const [i, picture] of drawn.entries()) await picture.toFile(at(i), { overwrite: true });
  let [pipe, opened] = [undefined, ''];
  for (const [i, picture] of drawn.entries()) {
    const { record } = await readMetadata(at(i));
    const recipe = await recipeOf(record, { search: [tmpdir(), folder] });
    const key = JSON.stringify({ ...recipe, options: undefined });
    if (key !== opened) {
      await pipe?.dispose();
      [pipe, opened] = [await open(recipe), key];
    }
    const { images } = await pipe.generate(recipe.options);
    assert.ok(Buffer.from(images[recipe.keep].data).equals(Buffer.from(picture.data)), `picture ${i} from its record`);
  }
  await pipe?.dispose();
  console.log(`${drawn.length} pictures drawn again from their records, to the byte`);
};
