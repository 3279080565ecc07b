// Draws a picture with the package as installed beside this file, on whatever Node runs it, and prints the raw pixels'
// size; the pixels go to the file that is named. Run by the tests of other machines.
import { writeFileSync } from 'node:fs';
import { defaultModel, Pipeline } from 'node-ip-adapter';

const [to, reference, options] = process.argv.slice(2);
const { path, adapters, face } = defaultModel();
const pipe = await Pipeline.load(path, { dtype: 'f32' });
await pipe.addAdapter(adapters['faceid-plusv2'], { face });
const { images } = await pipe.generate({ ...JSON.parse(options), references: [{ image: reference }] });
const [{ data, width, height }] = images;
writeFileSync(to, data);
await pipe.dispose();
process.stdout.write(`${width}x${height}\n`);
