// Two adapters in one run: the face of one picture, the looks of another.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const face = await attach(pipe, 'faceid-plusv2');
const looks = await attach(pipe, 'plus');
const faceAlone = await draw(pipe, [{ adapter: face, image: person(3) }]);
const both = await draw(pipe, [
  { adapter: face, image: person(3), scale: 0.8 },
  { adapter: looks, image: person(7), scale: 0.5 },
]);
expectUnlike(both, faceAlone, 'with the looks of another picture');
await sheet('two-adapters', [person(3), person(7), faceAlone, both]);
await pipe.dispose();
