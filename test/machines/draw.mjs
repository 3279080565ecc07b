// Draws a picture with the package that is named, on whatever Node runs it, and prints its size; the raw pixels go to a
// file. Run by the tests of other machines.
import { writeFileSync } from 'node:fs';

const [to, reference, options, from = 'node-ip-adapter'] = process.argv.slice(2);
const { defaultModel, Pipeline } = await import(from);
const { path, adapters, face } = defaultModel();
const pipe = await Pipeline.load(path, { dtype: 'f32' });
await pipe.addAdapter(adapters['faceid-plusv2'], { face });
const { images } = await pipe.generate({ ...JSON.parse(options), references: [{ image: reference }] });
const [{ data, width, height }] = images;
writeFileSync(to, data);
await pipe.dispose();
process.stdout.write(`${width}x${height}\n`);
