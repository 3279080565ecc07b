// A reference that acts in a part of the picture: white fully, black not at all.
import assert from 'node:assert/strict';
import { attach, draw, expectUnlike, filed, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'base');

const [width, height] = [128, 128];
const halves = (name, left, right) => {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; ++i) data[i] = Math.floor(i / 3) % width < width / 2 ? left : right;
  return filed(name, { width, height, channels: 3, data });
};
/** Mean change of the columns from `first` to `end`. */
const changed = (a, b, first, end) => {
  let [sum, count] = [0, 0];
  for (let i = 0; i < a.data.length; ++i) {
    const x = Math.floor(i / 3) % width;
    if (x >= first && x < end) [sum, count] = [sum + Math.abs(a.data[i] - b.data[i]), count + 1];
  }
  return sum / count;
};
// the second half of the run: the whole is settled, so what is outside the mask stays nearly as it was
const acts = { adapter, image: person(5), start: 0.5, scale: 1.5 };
const without = await draw(pipe, []);
const left = await draw(pipe, [{ ...acts, mask: await halves('mask-left', 255, 0) }]);
const right = await draw(pipe, [{ ...acts, mask: await halves('mask-right', 0, 255) }]);
expectUnlike(left, right, 'left against right');
for (const [picture, inside, outside] of [
  [left, [0, 56], [72, 128]],
  [right, [72, 128], [0, 56]],
]) {
  const [here, there] = [changed(picture, without, ...inside), changed(picture, without, ...outside)];
  console.log(`inside ${here.toFixed(1)}, outside ${there.toFixed(1)} grey levels`);
  assert.ok(here > 1.5 * there, 'the mask keeps it on its side');
}
await sheet('mask', [person(5), without, left, right]);
await pipe.dispose();
