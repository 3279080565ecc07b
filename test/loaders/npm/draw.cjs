const { defaultModel, Pipeline } = require('node-ip-adapter');

async function main() {
  const { path, adapters, face, references } = defaultModel();
  const pipe = await Pipeline.load(path);
  await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const image = references.find((file) => file.endsWith('person-1-1.png'));
  const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
  await images[0].toFile('drawn.png');
  await pipe.dispose();
}

main();
