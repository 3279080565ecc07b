// Two people in one picture, a half each: every half is like its own person, not like the other.
import t from 'tap';
import { FaceAnalyzer, IpAdapterError, type RawImage } from '../../lib/index.js';
import { cosine, opened, reference, sketch } from './sketch.js';

const LEAST = 0.2; // how much nearer the person of a half is than the other, in the mean
const PAIRS = [
  [1, 5],
  [2, 6],
  [3, 7],
  [4, 8],
] as const;
const SEEDS = [3, 4];
const LEFT = [0, 0, 0.5, 1] as const;
const RIGHT = [0.5, 0, 0.5, 1] as const;

const photo = (person: number): string => reference(`person-${person}-1.png`);

/** The left or the right half of a picture. */
const half = ({ data, width, height }: Omit<RawImage, 'channels'>, side: number): RawImage => {
  const row = (width / 2) * 3;
  const out = new Uint8Array(row * height);
  for (let y = 0; y < height; ++y) out.set(data.subarray((2 * y + side) * row, (2 * y + side + 1) * row), y * row);
  return { data: out, width: width / 2, height, channels: 3 };
};

t.test('each half is nearer to its own person', async (test) => {
  const pipe = await opened(test);
  const analyzer = await FaceAnalyzer.load({ ...sketch.face, detSize: 192 });
  test.teardown(() => analyzer.dispose());
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { face: analyzer });
  const known = new Map<number, Float32Array>();
  for (const person of PAIRS.flat()) known.set(person, (await analyzer.identity(photo(person))).identity);

  /** By how much a half is nearer to `mine` than to `theirs`; 0 where it has no face. */
  const nearer = async (picture: RawImage, mine: number, theirs: number): Promise<number> => {
    try {
      const { identity } = await analyzer.identity(picture);
      return cosine(identity, known.get(mine)!) - cosine(identity, known.get(theirs)!);
    } catch (error) {
      if (error instanceof IpAdapterError && error.code === 'FACE_NOT_FOUND') return 0;
      throw error;
    }
  };
  const sides: [number[], number[]] = [[], []];
  for (const [left, right] of PAIRS)
    for (const seed of SEEDS) {
      const { images } = await pipe.generate({
        prompt: 'portrait of two people',
        width: 256, // a square has room for one face
        height: 128,
        guidanceScale: 5,
        seed,
        faces: [
          { image: photo(left), region: LEFT },
          { image: photo(right), region: RIGHT },
        ],
      });
      sides[0].push(await nearer(half(images[0]!, 0), left, right));
      sides[1].push(await nearer(half(images[0]!, 1), right, left));
    }
  for (const [side, found] of sides.entries()) {
    const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
    const line = `${side === 0 ? 'left' : 'right'} half: nearer to its own person by ${mean.toFixed(2)}, at least ${Math.min(...found).toFixed(2)}`;
    test.comment(line);
    test.ok(mean >= LEAST, line);
  }
});
