// A reference that acts in a part of the run: early for the composition, late for the details.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'base');
const reference = { adapter, image: person(5) };
const without = await draw(pipe, []);
const whole = await draw(pipe, [reference]);
const early = await draw(pipe, [{ ...reference, end: 0.3 }]);
const late = await draw(pipe, [{ ...reference, start: 0.3 }]);
expectUnlike(early, without, 'early');
expectUnlike(late, without, 'late');
expectUnlike(early, late, 'early against late');
await sheet('window', [person(5), without, whole, early, late]);
await pipe.dispose();
