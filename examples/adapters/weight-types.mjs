// The sixteen ways in which a reference's strength is spread over the network.
import { weightTypes } from 'node-ip-adapter';
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'plus');
const without = await draw(pipe, []);
const drawn = [];
for (const weightType of weightTypes) {
  // two transformers make the composition, and those of the small bundled model say little
  const [scale, least] = weightType === 'composition' ? [5, 1] : [1, 2];
  const picture = await draw(pipe, [{ adapter, image: person(4), weightType, scale }]);
  expectUnlike(picture, without, weightType, least);
  drawn.push(picture);
}
await sheet('weight-types', [person(4), without, ...drawn]);
await pipe.dispose();
