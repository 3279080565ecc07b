import { readFileSync } from 'node:fs';
import { defaultModel, IpAdapterError, OptionError, Pipeline } from 'node-ip-adapter';

test('draws a portrait', async () => {
  const { path, adapters, face, references } = defaultModel();
  const pipe = await Pipeline.load(path);
  await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const photo = references.find((file) => file.endsWith('person-1-1.png'));
  const image = new Uint8Array(readFileSync(photo));
  const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
  await images[0].toFile('drawn.png');
  await expect(pipe.generate({ prompt: 'p', steps: -1 })).rejects.toThrow(OptionError);
  await pipe.dispose();
  expect(OptionError.prototype).toBeInstanceOf(IpAdapterError);
});
