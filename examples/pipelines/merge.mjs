// A LoRA merged into the weights of a model of its own, which draws what the attached LoRA draws, without it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { merge, Pipeline } from 'node-ip-adapter';
import { draw, expectAlike, expectUnlike, model, open, person, sheet } from '../adapters/stage.mjs';

const folder = await mkdtemp(join(tmpdir(), 'merge-'));

/** A made-up LoRA of rank 1: it changes what one layer of the UNet takes from the text. */
const lora = join(folder, 'turned.safetensors');
const layer = 'lora_unet_up_blocks_1_attentions_2_transformer_blocks_0_attn2_to_v';
const width = 128;
const numbers = (shift) => Float32Array.from({ length: width }, (_, i) => Math.sin(12.9898 * (i + 1) + shift));
const bytes = 4 * width;
const header = Buffer.from(
  JSON.stringify({
    [`${layer}.lora_down.weight`]: { dtype: 'F32', shape: [1, width], data_offsets: [0, bytes] },
    [`${layer}.lora_up.weight`]: { dtype: 'F32', shape: [width, 1], data_offsets: [bytes, 2 * bytes] },
  }),
);
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));
await writeFile(lora, Buffer.concat([length, header, Buffer.from(numbers(0).buffer), Buffer.from(numbers(1).buffer)]));

const pipe = await open();
const without = await draw(pipe, []);
await pipe.addLora(lora);
const attached = await draw(pipe, []);
await pipe.dispose();

const merged = join(folder, 'merged.safetensors');
await merge(model.path, [lora], merged);
const other = await Pipeline.load(merged);
const picture = await draw(other, []);
await other.dispose();

expectUnlike(attached, without, 'the LoRA');
expectAlike(picture, attached, 'the merged model', 0.5); // its weights are rounded to f16
await sheet('merge', [person(1), without, attached, picture]);
await rm(folder, { recursive: true });
