// A ControlNet: the edges of a picture kept, in each mode and in a part of the run. It takes files of yours:
//   node examples/pipelines/controlnet.mjs sd15 control_v11p_sd15_canny.safetensors
import { Pipeline } from 'node-ip-adapter';
import { difference, expectAlike, expectUnlike, person, scene, sheet } from '../adapters/stage.mjs';

const [path, file, side = '512'] = process.argv.slice(2);
if (!file) throw new Error('Give a model and a ControlNet for it');
const pipe = await Pipeline.load(path);
const edges = await pipe.addControlNet(file, { name: 'edges' });
const size = { width: Number(side), height: Number(side) };
const draw = async (control) => {
  const controls = control ? [{ controlNet: edges, image: person(2), preprocess: 'canny', ...control }] : [];
  return (await pipe.generate({ ...scene, ...size, controls })).images[0];
};
const without = await draw();
const balanced = await draw({});
expectUnlike(balanced, without, 'edges', 0);
const others = [];
for (const more of [{ mode: 'prompt' }, { mode: 'control' }, { mode: 'guess' }, { scale: 0.4 }, { end: 0.5 }]) {
  others.push(await draw(more));
  expectUnlike(others.at(-1), balanced, JSON.stringify(more), 0);
}
expectAlike(await draw({ scale: 0 }), without, 'edges at scale 0');
console.log(`edges: ${difference(balanced, without).toFixed(1)} grey levels from the run without`);
await sheet('controlnet', [person(2), without, balanced, ...others]);
await pipe.dispose();
