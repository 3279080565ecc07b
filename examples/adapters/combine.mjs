// Several pictures of one reference, in every way in which they can act together.
import { combineModes } from 'node-ip-adapter';
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'base');
const images = [person(1), person(5)];
const without = await draw(pipe, []);
const drawn = [];
for (const combine of combineModes.filter((name) => name !== 'best')) {
  // best is for faces
  const picture = await draw(pipe, [{ adapter, images, combine }]);
  expectUnlike(picture, without, combine);
  drawn.push(picture);
}
await sheet('combine', [...images, ...drawn]);
await pipe.dispose();
