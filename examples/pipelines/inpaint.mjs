// Into a mask: an angry face is made to smile, the rest of the picture stays byte for byte.
import assert from 'node:assert/strict';
import sharp from 'sharp';
import { draw, expectUnlike, filed, open, person, sheet } from '../adapters/stage.mjs';

const pipe = await open();
const [width, height] = [128, 128];
const photo = await sharp(person(5)).resize(width, height).removeAlpha().raw().toBuffer();
const image = await filed('inpaint-photo', { width, height, channels: 3, data: photo });
const [from, to] = [40, 88]; // px: a square from the brows to the mouth
const mask = { width, height, channels: 1, data: new Uint8Array(width * height) };
for (let y = from; y < to; ++y) mask.data.fill(255, y * width + from, y * width + to);
const file = await filed('inpaint-mask', mask);

const prompt = 'portrait of a woman, smiling, wearing a yellow blazer, pink background';
const smiling = { prompt, width, height, guidanceScale: 2 };
/** What lies in the square, or outside it. */
const part = (data, inside) => ({ data: data.filter((_, i) => mask.data[Math.floor(i / 3)] > 0 === inside) });
const pictures = [];
for (const fill of ['original', 'noise', 'blur']) {
  const picture = await draw(pipe, [], { ...smiling, init: { image, mask: file, fill, strength: 0.8 } });
  assert.deepEqual([...part(picture.data, false).data], [...part(photo, false).data], 'the rest is untouched');
  expectUnlike(part(picture.data, true), part(photo, true), `the face, begun from ${fill}`);
  pictures.push(picture);
}
await sheet('inpaint', [person(5), ...pictures]);
await pipe.dispose();
