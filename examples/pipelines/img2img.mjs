// From a picture: how far strength goes from it.
import assert from 'node:assert/strict';
import { difference, draw, expectUnlike, open, person, sheet } from '../adapters/stage.mjs';

const pipe = await open();
const photo = person(5);
const from = (strength) => draw(pipe, [], { init: { image: photo, strength } });
const strengths = [0, 0.3, 0.6, 1];
const drawn = [];
for (const strength of strengths) drawn.push(await from(strength));
const [kept, ...others] = drawn; // 0: the picture through the VAE and back
const away = others.map((picture) => difference(picture, kept));
for (const [i, picture] of others.entries()) expectUnlike(picture, kept, `strength ${strengths[i + 1]}`);
assert.deepEqual(
  away,
  [...away].sort((a, b) => a - b),
  'the greater strength, the further from the picture',
);
await sheet('img2img', [photo, ...drawn]);
await pipe.dispose();
