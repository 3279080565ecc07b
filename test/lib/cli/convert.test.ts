// The commands convert and merge as a user types them.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { merge } from '../../../lib/index.js';
import { kohya, written } from '../loras.js';
import { scratch } from '../made/models.js';
import { program, sketch } from '../sketch.js';

const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
const folder = scratch();
const run = (...args: string[]): ReturnType<typeof program> => program([cli, ...args]);

t.test('convert and merge', async (test) => {
  const file = join(folder, 'model.safetensors');
  const first = await run('convert', sketch.path, file, '--json');
  test.equal(first.code, 0, first.err);
  test.match(JSON.parse(first.out), { path: file, warnings: [] });
  test.match(first.err, /writing: 100 % of/);
  const again = await run('convert', sketch.path, file);
  test.equal(again.code, 1);
  test.match(again.err, /OUTPUT_EXISTS/);

  const layer = 'lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q';
  const lora = written('cli', kohya({ [layer]: [128, 128] }));
  const [merged, expected] = [join(folder, 'merged.safetensors'), join(folder, 'expected.safetensors')];
  const third = await run('merge', sketch.path, '--lora', `${lora}:0.5`, '--lora', lora, merged, '--dtype', 'f32');
  test.equal(third.code, 0, third.err);
  test.equal(third.out.trim(), merged);
  await merge(sketch.path, [{ file: lora, scale: 0.5 }, lora], expected, { dtype: 'f32' });
  test.same(readFileSync(merged), readFileSync(expected));

  test.equal((await run('merge', sketch.path, join(folder, 'x'))).code, 2, 'a merge needs a LoRA');
  test.equal((await run('convert', sketch.path, join(folder, 'x'), '--dtype', 'f64')).code, 2);
  test.notOk(existsSync(join(folder, 'x')));
});
