// A second pass at a larger size: detail that a mere enlargement has not, and the person of the reference. The bundled model knows
// pictures of 128 px and no larger ones, so the first pass has half of that; of a real model it has the model's own size.
import assert from 'node:assert/strict';
import { FaceAnalyzer } from 'node-ip-adapter';
import { attach, draw, expectUnlike, model, open, person, sheet } from '../adapters/stage.mjs';

const pipe = await open();
await attach(pipe, 'faceid-plusv2');
const small = { width: 64, height: 64 };
const her = { adapter: 'faceid-plusv2', image: person(5) };
const twice = (upscaler, passes = 'both') =>
  draw(pipe, [{ ...her, passes }], { ...small, hires: { scale: 2, upscaler } });

const base = await draw(pipe, [her], small);
const enlarge = () => base.toSharp().resize(128, 128, { kernel: 'lanczos3' });
const enlarged = { data: await enlarge().raw().toBuffer(), width: 128, toSharp: enlarge };
const latent = await twice('latent');
const lanczos = await twice('lanczos');
const afterwards = await twice('latent', 'base'); // nothing shows the second pass who it is

/** Mean step between neighbouring pixels of a row, in grey levels. */
const detail = ({ data, width }) =>
  data.reduce((sum, value, i) => (i % (3 * width) < 3 ? sum : sum + Math.abs(value - data[i - 3])), 0) / data.length;
const plain = detail(enlarged);
for (const [upscaler, picture] of Object.entries({ latent, lanczos })) {
  const found = detail(picture);
  assert.ok(found > 1.15 * plain, `${upscaler}: detail ${found.toFixed(2)}, of an enlargement ${plain.toFixed(2)}`);
  console.log(`${upscaler}: detail ${found.toFixed(2)}, of an enlargement ${plain.toFixed(2)}`);
  expectUnlike(picture, enlarged, `the second pass, ${upscaler}`);
}

const analyzer = await FaceAnalyzer.load(model.face);
const identity = async (picture) => (await analyzer.identity(picture)).identity;
const wanted = await identity(person(5));
const likeness = async ({ data, width, height }) => {
  const found = await identity({ data, width, height, channels: 3 });
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  return dot(found, wanted) / Math.sqrt(dot(found, found) * dot(wanted, wanted));
};
const [told, untold] = [await likeness(latent), await likeness(afterwards)];
assert.ok(
  told > untold + 0.1,
  `likeness ${told.toFixed(2)}, with the reference in the first pass alone ${untold.toFixed(2)}`,
);
console.log(`likeness ${told.toFixed(2)}, with the reference in the first pass alone ${untold.toFixed(2)}`);
await sheet('hires', [person(5), base, enlarged, latent, lanczos, afterwards]);
await analyzer.dispose();
await pipe.dispose();
