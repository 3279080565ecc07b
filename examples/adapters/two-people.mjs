// Two people in one face: their identities are averaged, with weights.
import { attach, draw, expectUnlike, open, person, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'faceid');
const images = [person(1), person(5)];
const drawn = [];
for (const share of [1, 0.75, 0.5, 0.25, 0])
  drawn.push(await draw(pipe, [{ adapter, images, weights: [share, 1 - share], outliers: 'off' }]));
expectUnlike(drawn[2], drawn[0], 'half of each, beside the first alone');
expectUnlike(drawn[2], drawn[4], 'half of each, beside the second alone');
await sheet('two-people', [images[0], ...drawn, images[1]]);
await pipe.dispose();
