// A T2I-Adapter: lighter than a ControlNet, read once per picture; it is told apart by its tensors. It takes files of yours:
//   node examples/pipelines/t2i-adapter.mjs sd15 t2iadapter_canny_sd15v2.safetensors
import { Pipeline } from 'node-ip-adapter';
import { expectAlike, expectUnlike, person, scene, sheet } from '../adapters/stage.mjs';

const [path, file, side = '512'] = process.argv.slice(2);
if (!file) throw new Error('Give a model and a T2I-Adapter for it');
const pipe = await Pipeline.load(path);
const lines = await pipe.addControlNet(file, { name: 'lines' });
console.log(`${file} is a ${lines.info.kind}`);
const size = { width: Number(side), height: Number(side) };
const draw = async (control) => {
  const controls = control ? [{ controlNet: 'lines', image: person(2), preprocess: 'canny', ...control }] : [];
  return (await pipe.generate({ ...scene, ...size, controls })).images[0];
};
const without = await draw();
const drawn = await draw({});
expectUnlike(drawn, without, 'lines', 0);
const half = await draw({ scale: 0.5 });
expectUnlike(half, drawn, 'at half the scale', 0);
const early = await draw({ end: 0.4 });
expectUnlike(early, drawn, 'in the first steps alone', 0);
expectAlike(await draw({ scale: 0 }), without, 'lines at scale 0');
await sheet('t2i-adapter', [person(2), without, drawn, half, early]);
await pipe.dispose();
