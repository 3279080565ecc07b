// The sixteen ways in which a reference's strength is spread over the network.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const TYPES = [
  'linear',
  'ease in',
  'ease out',
  'ease in-out',
  'reverse in-out',
  'weak input',
  'weak middle',
  'weak output',
  'strong middle',
  'style transfer',
  'composition',
  'strong style transfer',
  'style and composition',
  'strong style and composition',
  'style transfer precise',
  'composition precise',
];

const pipe = await open();
const adapter = await attach(pipe, 'plus');
const without = await draw(pipe, []);
const drawn = [];
for (const weightType of TYPES) {
  // two transformers make the composition, and those of the small bundled model say little
  const [scale, least] = weightType === 'composition' ? [5, 1] : [1, 2];
  const picture = await draw(pipe, [{ adapter, image: person(4), weightType, scale }]);
  expectUnlike(picture, without, weightType, least);
  drawn.push(picture);
}
await sheet('weight-types', [person(4), without, ...drawn]);
await pipe.dispose();
