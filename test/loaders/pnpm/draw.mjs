import { createRequire } from 'node:module';
import { defaultModel, OptionError, Pipeline } from 'node-ip-adapter';

const { path, adapters, face, references } = defaultModel();
const pipe = await Pipeline.load(path);
await pipe.addAdapter(adapters['faceid-plusv2'], { face });
const image = references.find((file) => file.endsWith('person-1-1.png'));
const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
await images[0].toFile('drawn.png');
await pipe.dispose();
if (createRequire(import.meta.url)('node-ip-adapter').OptionError !== OptionError) throw new Error('two modules');
