// Three references of one adapter at 0.3 each, as tutorials for A1111 advise: each attends for itself, and they add up.
import { attach, draw, expectAlike, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'plus');
const images = [person(6, 1), person(6, 2), person(6, 3)];
const three = await draw(
  pipe,
  images.map((image) => ({ adapter, image, scale: 0.3 })),
);
const asOne = await draw(pipe, [{ adapter, images, combine: 'separate', scale: 0.3 }]);
expectAlike(asOne, three, 'as one reference whose pictures are kept apart');
expectUnlike(three, await draw(pipe, []), 'with the person, as without');
await sheet('three-at-0.3', [...images, three]);
await pipe.dispose();
