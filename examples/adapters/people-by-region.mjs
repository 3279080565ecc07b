// Two people in one picture, a half each.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'faceid-plusv2');
const [left, right] = [
  [0, 0, 0.5, 1], // x, y, width, height in fractions of the picture
  [0.5, 0, 0.5, 1],
];
// as wide as two portraits, and more guidance: what is drawn on one side pulls the other after it
const wide = { prompt: 'portrait of two people', width: 256, height: 128, guidanceScale: 5, seed: 4 };
const pair = (first, second) =>
  draw(pipe, [], {
    ...wide,
    faces: [
      { adapter, image: person(first), region: left },
      { adapter, image: person(second), region: right },
    ],
  });
const drawn = await pair(1, 5);
const changed = await pair(5, 1);
expectUnlike(drawn, changed, 'places changed');
/** A half of a picture, as a picture of the sheet. */
const half = (picture, at) => ({
  of: picture,
  toSharp: () => picture.toSharp().extract({ left: at, top: 0, width: 128, height: 128 }),
});
const halves = [drawn, changed].flatMap((picture) => [half(picture, 0), half(picture, 128)]);
await sheet('people-by-region', [person(1), person(5), ...halves]);
await pipe.dispose();
