const assert = require('node:assert/strict');
const { defaultModel, OptionError, Pipeline } = require('node-ip-adapter');

describe('node-ip-adapter', () => {
  it('draws a portrait', async () => {
    const { path, adapters, face, references } = defaultModel();
    const pipe = await Pipeline.load(path);
    await pipe.addAdapter(adapters['faceid-plusv2'], { face });
    const image = references.find((file) => file.endsWith('person-1-1.png'));
    const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
    await images[0].toFile('drawn.png');
    await assert.rejects(pipe.generate({ prompt: 'p', steps: -1 }), OptionError);
    await pipe.dispose();
  });
});
