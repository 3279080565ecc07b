// A reference read in squares: how a picture is cut, and where each square acts.
import sharp from 'sharp';
import t from 'tap';
import { gridOf, squaresOf } from '../../../lib/adapters/tiles.js';
import { readMetadata } from '../../../lib/index.js';
import { drawn, failure, opened, reference, scene, sketch } from '../sketch.js';

t.test('squares', async (test) => {
  test.same(gridOf({ width: 512, height: 512 }), [2, 2]);
  test.same(gridOf({ width: 640, height: 512 }), [2, 2]);
  test.same(gridOf({ width: 1024, height: 512 }), [2, 1]);
  test.same(gridOf({ width: 300, height: 900 }), [1, 3]);
  test.same(gridOf({ width: 9000, height: 100 }), [4, 1]);
  test.same(
    squaresOf({ width: 640, height: 512 }, [2, 2]).map(({ left, top, width }) => [left, top, width]),
    [
      [64, 0, 256],
      [320, 0, 256],
      [64, 256, 256],
      [320, 256, 256],
    ],
  );
  test.same(squaresOf({ width: 3, height: 1 }, [4, 1]).length, 4, 'a picture of a few pixels');
});

t.test('each square acts on its part', async (test) => {
  const pipe = await opened(test, { dtype: 'f32' });
  const adapter = await pipe.addAdapter(sketch.adapters.plus!, { encoder: sketch.encoder });
  const image = reference('person-3-1.png');
  const tiled = { adapter, image, tiles: true };
  const of = (one: object): Promise<string> => drawn(pipe, { references: [one as never] });
  const [whole, squares] = [await of({ adapter, image }), await of(tiled)];
  test.not(squares, whole);

  // the same by hand: four references with masks
  const { width, height } = await sharp(image).metadata();
  const quarter = { width: width! / 2, height: height! / 2 };
  const byHand = [];
  for (const [column, row] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const) {
    const piece = await sharp(image)
      .extract({ left: column * quarter.width, top: row * quarter.height, ...quarter })
      .png()
      .toBuffer();
    const white = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    const mask = await sharp({ create: { width: 128, height: 128, channels: 3, background: '#000' } })
      .composite([{ input: white, left: 64 * column, top: 64 * row }])
      .png()
      .toBuffer();
    byHand.push({ adapter, image: piece, mask });
  }
  test.equal(await drawn(pipe, { references: byHand }), squares);

  const black = { data: new Uint8Array(256), width: 16, height: 16, channels: 1 } as const;
  test.equal(await of({ ...tiled, mask: black }), await drawn(pipe, {}), 'a mask holds for all of them');
  test.not(await of({ ...tiled, clipMask: black }), squares, 'what counts of the picture is cut with it');

  const { images } = await pipe.generate({ ...scene, references: [tiled] });
  const { record } = await readMetadata(await images[0]!.toBuffer());
  const plain = await pipe.generate({ ...scene, references: [{ adapter, image }] });
  const other = (await readMetadata(await plain.images[0]!.toBuffer())).record;
  test.match(record!.references[0], { tiles: true, images: other!.references[0]!.images });
});

t.test('where there are no squares it is refused', async (test) => {
  const pipe = await opened(test);
  const adapter = await pipe.addAdapter(sketch.adapters.plus!, { encoder: sketch.encoder });
  const faces = await pipe.addAdapter(sketch.adapters.faceid!, { face: sketch.face });
  const image = reference('person-3-1.png');
  const embedding = await adapter.encode(image);
  const codeOf = async (one: object): Promise<string> =>
    (await failure(pipe.generate({ ...scene, references: [{ tiles: true, ...one } as never] }))).code;
  test.equal(await codeOf({ adapter: faces, image }), 'OPTION_CONFLICT');
  test.equal(await codeOf({ adapter, embedding }), 'OPTION_CONFLICT');
  const wide = { data: new Uint8Array(3 * 80 * 20), width: 80, height: 20, channels: 3 };
  test.equal(await codeOf({ adapter, images: [image, wide] }), 'OPTION_CONFLICT', 'pictures of other shapes');
});
