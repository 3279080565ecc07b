const { readFileSync } = require('node:fs');
const { readFile } = require('node:fs/promises');
const { defaultModel, IpAdapterError, OptionError, Pipeline } = require('node-ip-adapter');

const { path, adapters, face, references } = defaultModel();
const photo = references.find((file) => file.endsWith('person-1-1.png'));
let pipe;
beforeAll(async () => {
  pipe = await Pipeline.load(path);
});
afterAll(() => pipe.dispose());

test('draws a portrait of bytes that this file read', async () => {
  await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const image = new Uint8Array(readFileSync(photo));
  const { images } = await pipe.generate({ prompt: 'portrait', references: [{ image }], seed: 7, steps: 2 });
  expect(images[0]).toMatchObject({ width: 128, height: 128 });
  expect(images[0].data).toBeInstanceOf(Uint8Array);
  await images[0].toFile('drawn.png');
});

test('takes arrays that this file makes, whatever realm Jest takes their classes from', async () => {
  const crop = { data: new Uint8ClampedArray(112 * 112 * 3).fill(90), width: 112, height: 112, channels: 3 };
  const references = [{ face: { identity: Float32Array.from({ length: 512 }, (_, i) => Math.sin(i)), crop } }];
  const { images } = await pipe.generate({ prompt: 'portrait', references, seed: 7, steps: 2 });
  expect(images).toHaveLength(1);
});

test('throws errors of the classes that it exports', async () => {
  await expect(pipe.generate({ prompt: 'portrait', steps: -1 })).rejects.toThrow(OptionError);
  const error = await Pipeline.load('/nowhere').catch((thrown) => thrown);
  expect(error).toBeInstanceOf(IpAdapterError);
  expect(error.code).toBe('MODEL_NOT_FOUND');
  // as Node's own errors, which are of Node's realm too: docs/loading.md
  const ofNode = await readFile('/nowhere').catch((thrown) => thrown);
  expect(error instanceof Error).toBe(ofNode instanceof Error);
  const reason = new RangeError('enough');
  const stopped = await pipe.generate({ prompt: 'p', signal: AbortSignal.abort(reason) }).catch((thrown) => thrown);
  expect(stopped).toBeInstanceOf(IpAdapterError);
  expect(stopped.cause).toBe(reason);
});

test('is one module, also after the registry was emptied', () => {
  jest.resetModules();
  expect(require('node-ip-adapter').IpAdapterError).toBe(IpAdapterError);
});
