// One change of the weights in five file formats, made up here, and what it does to a portrait.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node-ip-adapter';
import { attach, draw, expectAlike, expectUnlike, model, open, person, sheet } from './stage.mjs';

const RANK = 4;
const unet = join(model.path, 'unet', 'diffusion_pytorch_model.safetensors');
const { tensors } = await inspect(unet, { sha256: false });
const layers = tensors.filter(({ name }) => name.endsWith('.attn2.to_v.weight')); // what text turns into

/** Numbers from -1 to 1 that are the same every time. */
const numbers = (count, seed) => Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + seed));
const product = (a, b, rows, columns) =>
  Float32Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let r = 0; r < RANK; ++r) sum += a[row * RANK + r] * b[r * columns + column];
    return sum;
  });

/** A safetensors file of f32 tensors, [name, shape, numbers] each. */
const safetensors = (entries) => {
  let at = 0;
  const header = Object.fromEntries(
    entries.map(([name, shape, { byteLength }]) => {
      at += byteLength;
      return [name, { dtype: 'F32', shape, data_offsets: [at - byteLength, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...entries.map(([, , { buffer }]) => Buffer.from(buffer))]);
};

const one = Float32Array.of(1);
const ones = (count) => new Float32Array(count).fill(1);
const alpha = (name) => [`${name}.alpha`, [1], Float32Array.of(RANK)];

/** The tensors of a layer's change up · down, by format. */
const families = {
  kohya: (path, rows, columns, up, down) => {
    const name = `lora_unet_${path.replaceAll('.', '_')}`;
    return [
      [`${name}.lora_down.weight`, [RANK, columns], down],
      [`${name}.lora_up.weight`, [rows, RANK], up],
      alpha(name),
    ];
  },
  PEFT: (path, rows, columns, up, down) => [
    [`unet.${path}.lora_A.weight`, [RANK, columns], down],
    [`unet.${path}.lora_B.weight`, [rows, RANK], up],
  ],
  LoHa: (path, rows, columns, up, down) => {
    const name = `lora_unet_${path.replaceAll('.', '_')}`;
    return [
      [`${name}.hada_w1_a`, [rows, RANK], up],
      [`${name}.hada_w1_b`, [RANK, columns], down],
      [`${name}.hada_w2_a`, [rows, 1], ones(rows)],
      [`${name}.hada_w2_b`, [1, columns], ones(columns)],
      alpha(name),
    ];
  },
  LoKr: (path, rows, columns, up, down) => {
    const name = `lora_unet_${path.replaceAll('.', '_')}`;
    return [
      [`${name}.lokr_w1`, [1, 1], one],
      [`${name}.lokr_w2_a`, [rows, RANK], up],
      [`${name}.lokr_w2_b`, [RANK, columns], down],
      alpha(name),
    ];
  },
  'full difference': (path, rows, columns, up, down) => [
    [`lora_unet_${path.replaceAll('.', '_')}.diff`, [rows, columns], product(up, down, rows, columns)],
  ],
};

const folder = await mkdtemp(join(tmpdir(), 'loras-'));
const pipe = await open();
const adapter = await attach(pipe, 'plus');
const references = [{ adapter, image: person(5), scale: 0.6 }];
const without = await draw(pipe, references);
const pictures = [];
for (const [family, tensorsOf] of Object.entries(families)) {
  const entries = layers.flatMap(({ name, shape: [rows, columns] }, i) => {
    const [up, down] = [numbers(rows * RANK, i), numbers(RANK * columns, i + 0.5).map((value) => value * 0.06)];
    return tensorsOf(name.replace(/\.weight$/, ''), rows, columns, up, down);
  });
  const file = join(folder, `${family}.safetensors`);
  await writeFile(file, safetensors(entries));
  const lora = await pipe.addLora(file, { scale: 0.8 });
  pictures.push(await draw(pipe, references));
  await lora.dispose();
  expectUnlike(pictures.at(-1), without, family);
  expectAlike(pictures.at(-1), pictures[0], `${family}, as kohya`, 0.5); // some weights are rounded the other way
}
expectAlike(await draw(pipe, references), without, 'detached, as before');
await sheet('lora-families', [person(5), without, ...pictures]);
await rm(folder, { recursive: true });
await pipe.dispose();
