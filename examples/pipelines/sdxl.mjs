// SDXL: a picture from words, one from that picture, and a second pass at a larger size. It takes a model of yours:
//   node examples/pipelines/sdxl.mjs sdxl
import { Pipeline } from 'node-ip-adapter';
import { expectUnlike, scene, sheet } from '../adapters/stage.mjs';

const [path, side = '1024'] = process.argv.slice(2);
if (!path) throw new Error('Give an SDXL model');
const pipe = await Pipeline.load(path, { memory: { offload: 'always' } }); // its text encoders leave before the UNet comes
const size = { width: Number(side), height: Number(side) };
const draw = async (more) => (await pipe.generate({ ...scene, ...size, ...more })).images[0];
const drawn = await draw({});
const image = await drawn.toBuffer();
const again = await draw({ prompt: 'a drawing in ink', init: { image, strength: 0.6 } });
expectUnlike(again, drawn, 'from the picture', 0);
const half = { width: size.width / 2, height: size.height / 2 };
const larger = await draw({ ...half, hires: { scale: 2, strength: 0.5 } });
expectUnlike(larger, drawn, 'in two passes', 0);
await sheet('sdxl', [drawn, again, larger]);
await pipe.dispose();
