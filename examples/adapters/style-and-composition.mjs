// Style from one picture, composition from another.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'base');
const style = { adapter, image: person(4), weightType: 'style and composition', compositionScale: 5 };
const alone = await draw(pipe, [style]);
const composed = await draw(pipe, [{ ...style, compositionImage: person(8) }]);
expectUnlike(composed, alone, 'with the composition of another picture');
await sheet('style-and-composition', [person(4), person(8), alone, composed]);
await pipe.dispose();
