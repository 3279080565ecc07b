// Into a mask: the lower part of a picture is painted anew, the rest stays byte for byte.
import assert from 'node:assert/strict';
import sharp from 'sharp';
import { draw, expectUnlike, open, person, sheet } from '../adapters/stage.mjs';

const pipe = await open();
const photo = person(5);
const { data, info } = await sharp(photo).removeAlpha().raw().toBuffer({ resolveWithObject: true });
const { width, height } = info;
const top = Math.round(height * 0.7); // below it are the shoulders
const mask = { width, height, channels: 1, data: new Uint8Array(width * height).fill(255, top * width) };
const prompt = 'portrait of a person, smiling, wearing red overalls, yellow background';
const pictures = [];
for (const fill of ['original', 'noise', 'blur']) {
  const picture = await draw(pipe, [], { prompt, width, height, init: { image: photo, mask, fill, strength: 0.8 } });
  const above = top * width * 3;
  assert.ok(Buffer.from(picture.data.subarray(0, above)).equals(data.subarray(0, above)), 'the rest is untouched');
  expectUnlike({ data: picture.data.subarray(above) }, { data: data.subarray(above) }, `below, from ${fill}`);
  pictures.push(picture);
}
await sheet('inpaint', [photo, ...pictures]);
await pipe.dispose();
