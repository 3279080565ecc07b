// Embeddings that other tools have saved: what is in them, and that they draw what the pictures draw.
import t from 'tap';
import { Embedding } from '../../../lib/index.js';
import { type Saved, torchSaved } from '../made/torch.js';
import { drawn, opened, reference, sketch } from '../sketch.js';

const numbers = (shape: readonly number[], seed = 1): Saved => {
  const count = shape.reduce((product, side) => product * side, 1);
  return { shape, data: Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed + i))) };
};
const joined = (...parts: readonly Saved[]): Saved => ({
  shape: [parts.length, ...parts[0]!.shape],
  data: Float32Array.from(parts.flatMap(({ data }) => [...data])),
});
const codeOf = (bytes: Buffer): string | undefined => {
  try {
    Embedding.from(bytes);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
};

t.test('ComfyUI: the pictures of one adapter', async (test) => {
  const plus = Embedding.from(torchSaved(numbers([2, 257, 1280]))).info;
  test.match(plus, { pictures: 2, entries: 2, output: 'penultimate', width: 1280, encoder: /^ViT-H/ });
  const base = Embedding.from(torchSaved(numbers([3, 1280]))).info;
  test.match(base, { pictures: 3, entries: 3, output: 'image_embeds', width: 1280, encoder: /^ViT-bigG/ });
  test.equal(new Set(base.hashes).size, 3);
});

t.test('diffusers: a list of both halves', async (test) => {
  const [no, yes] = [numbers([2, 257, 1280], 5), numbers([2, 257, 1280], 9)];
  const plus = Embedding.from(torchSaved([joined(no, yes)]));
  test.match(plus.info, { entries: 2, output: 'penultimate', width: 1280 });
  test.same(plus.toBuffer(), Embedding.from(torchSaved(yes)).toBuffer(), 'the conditional half');
  test.match(Embedding.from(torchSaved([numbers([2, 1, 1024])])).info, {
    entries: 1,
    output: 'image_embeds',
    width: 1024,
  });
  test.match(Embedding.from(torchSaved([numbers([1, 2, 1024])])).info, { entries: 2 }, 'without guidance one half');
  const faces = Embedding.from(torchSaved([numbers([2, 3, 1, 512])])).info;
  test.match(faces, { entries: 3, identity: 512 });
  test.equal(faces.output, undefined);
});

t.test('what is none is refused', async (test) => {
  test.equal(
    codeOf(torchSaved([numbers([2, 1, 1024]), numbers([2, 1, 1024])])),
    'MODEL_FORMAT_UNSUPPORTED',
    'two adapters',
  );
  test.equal(codeOf(torchSaved([numbers([3, 1, 1024])])), 'TENSOR_SHAPE', 'three halves');
  test.equal(codeOf(torchSaved(numbers([1024]))), 'TENSOR_SHAPE', 'no axis of pictures');
  test.equal(codeOf(torchSaved(numbers([17, 1024]))), 'TENSOR_SHAPE', 'too many pictures');
  const holed = numbers([1, 1024]);
  holed.data[7] = Number.NaN;
  test.equal(codeOf(torchSaved(holed)), 'TENSOR_NONFINITE');
  test.equal(codeOf(torchSaved(numbers([1, 1024])).subarray(0, 200)), 'MODEL_TRUNCATED');
  test.equal(codeOf(Buffer.from([0x80, 2, 0x2e])), 'MODEL_TRUNCATED', 'an empty pickle');
});

t.test('it draws as the pictures do', async (test) => {
  const pipe = await opened(test);
  const adapter = await pipe.addAdapter(sketch.adapters.plus!, { encoder: sketch.encoder });
  const image = reference('person-3-1.png');
  const read = await adapter.encode(image);
  const own = read.toBuffer(); // f32 numbers behind a header
  const { width } = read.info;
  const length = 8 + Number(own.readBigUInt64LE());
  const data = new Float32Array(own.buffer.slice(own.byteOffset + length, own.byteOffset + own.length));
  const yes: Saved = { shape: [1, data.length / width!, width!], data };
  const no = { ...yes, data: new Float32Array(data.length) };
  const asPictures = await drawn(pipe, { references: [{ adapter, image }] });
  for (const bytes of [torchSaved(yes), torchSaved([joined(no, yes)])])
    test.equal(await drawn(pipe, { references: [{ adapter, embedding: Embedding.from(bytes) }] }), asPictures);
});
