// Another person's face in a picture: mask 'face' finds where, a FaceID reference says whose.
import assert from 'node:assert/strict';
import { FaceAnalyzer } from 'node-ip-adapter';
import { attach, expectUnlike, model, open, person, sheet } from '../adapters/stage.mjs';

const pipe = await open();
await attach(pipe, 'faceid-plusv2');
const analyzer = await FaceAnalyzer.load(model.face);
const [photo, other] = [person(1), person(5)];
const init = { image: photo, mask: 'face', maskPadding: 16 };
const swap = (references) => pipe.generate({ prompt: 'portrait of a person', seed: 3, init, references });
const { images } = await swap([{ image: other }]);
const { images: nobody } = await swap([]);

/** Cosine of the recogniser between a picture's face and the other person's. */
const identity = async (picture) => (await analyzer.identity(picture)).identity;
const wanted = await identity(other);
const likeness = async (picture) => {
  const found = await identity(picture);
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  return dot(found, wanted) / Math.sqrt(dot(found, found) * dot(wanted, wanted));
};
const raw = ({ data, width, height }) => ({ data, width, height, channels: 3 });
const [before, after] = [await likeness(photo), await likeness(raw(images[0]))];
assert.ok(after > before + 0.3, `likeness ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
console.log(`likeness to the other person: ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
expectUnlike(images[0], nobody[0], 'the same mask without a reference', 1);
await sheet('face-swap', [photo, other, images[0]]);
await analyzer.dispose();
await pipe.dispose();
