// Several pictures of one person: the Portrait adapter reads all of them side by side.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'faceid-portrait');
const images = [person(8, 1), person(8, 2), person(8, 3)];
const one = await draw(pipe, [{ adapter, image: images[0] }]);
const three = await draw(pipe, [{ adapter, images }]);
expectUnlike(three, await draw(pipe, []), 'with the person, as without');
await sheet('portrait', [...images, one, three]);
await pipe.dispose();
