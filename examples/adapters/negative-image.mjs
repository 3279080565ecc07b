// A picture to steer away from, beside the one to steer to.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'plus');
const reference = { adapter, image: person(2), scale: 0.8 };
const without = await draw(pipe, [reference]);
const away = await draw(pipe, [{ ...reference, negative: person(6) }]);
expectUnlike(away, without, 'away from another picture');
await sheet('negative-image', [person(2), person(6), without, away]);
await pipe.dispose();
