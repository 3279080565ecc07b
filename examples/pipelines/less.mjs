// Runs that leave work out of their steps, beside the whole one: their time, and how far their pictures are from its.
import { expectUnlike, open, scene, sheet } from '../adapters/stage.mjs';

const ways = {
  'guidanceEnd 0.5': { guidanceEnd: 0.5 },
  'guidanceStart 0.2, guidanceEnd 0.6': { guidanceStart: 0.2, guidanceEnd: 0.6 },
  'reuse every 2': { reuse: { every: 2 } },
  'reuse every 3': { reuse: { every: 3 } },
  'guidanceEnd 0.5, reuse every 2': { guidanceEnd: 0.5, reuse: { every: 2 } },
  freeU: { freeU: true },
};

const pipe = await open();
const drawn = async (options) => {
  const { images, timings } = await pipe.generate({ ...scene, steps: 20, ...options });
  return { picture: images[0], ms: Math.round(timings.sampleMs) };
};
await drawn({ steps: 1 }); // what is made once does not count
const whole = await drawn({});
const pictures = [whole.picture];
for (const [name, options] of Object.entries(ways)) {
  const { picture, ms } = await drawn(options);
  expectUnlike(picture, whole.picture, `${name}, ${ms} ms of ${whole.ms}`, 0.05);
  pictures.push(picture);
}
await sheet('less', pictures);
await pipe.dispose();
