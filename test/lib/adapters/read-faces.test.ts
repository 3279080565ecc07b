import t from 'tap';
import { type FaceReading, readFaces } from '../../../lib/adapters/read-faces.js';
import { FaceError } from '../../../lib/errors.js';
import type { FaceNetworks } from '../../../lib/faces/face.js';
import { chooseFaces } from '../../../lib/faces/face-choice.js';
import type { DetectedFace, Pixels, Stop } from '../../../lib/native/types.js';

/** A face whose identity lies `degrees` from the first axis, with its box's side and its quality. */
interface Seen {
  readonly degrees: number;
  readonly side: number;
  readonly quality?: number;
  /** Its landmarks make no face. */
  readonly isFlat?: boolean;
}

const known = new Map<DetectedFace, Seen>();
const face = (seen: Seen): DetectedFace => {
  const made = { score: 0.9, box: [0, 0, seen.side, seen.side] as const, landmarks: [] };
  known.set(made, seen);
  return made;
};

/** Pictures that are lists of faces, and networks that find just these. */
const pictures = new Map<Pixels, readonly DetectedFace[]>();
const picture = (...faces: readonly Seen[]): Pixels => {
  const pixels = { width: 1, height: 1, data: new Uint8Array(3) };
  pictures.set(pixels, faces.map(face));
  return pixels;
};
const networks = {
  find: async (image: Pixels) => ({ faces: pictures.get(image)!, size: 640, tried: ['640'], width: 1, height: 1 }),
  choose: async (_: Pixels, search: Parameters<typeof chooseFaces>[0], ...[pick, option]: ['largest', string]) =>
    chooseFaces(
      search,
      pick,
      option,
      search.faces.map((one) => known.get(one)!.quality ?? 0),
    ),
  identify: async (_: Pixels, one: DetectedFace) => {
    const { degrees, quality = 0.5, isFlat } = known.get(one)!;
    if (isFlat) throw new FaceError('FACE_LANDMARKS_INVALID', 'no face', 'another');
    const angle = (degrees * Math.PI) / 180;
    return { identity: Float32Array.of(Math.cos(angle), Math.sin(angle)), quality };
  },
} as unknown as FaceNetworks;

const read = async (images: readonly Pixels[], reading: Partial<FaceReading> = {}) => {
  const warnings: string[] = [];
  const context = {
    stop: {} as Stop,
    warn: (code: string, message: string) => void warnings.push(`${code} ${message}`),
  };
  const faces = await readFaces(networks, images, { option: 'references[0]', ...reading }, context);
  return { degrees: faces.map((one) => known.get(one.face)!.degrees), from: faces.map((one) => one.from), warnings };
};
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const alone = picture({ degrees: 0, side: 10, quality: 0.9 });
const group = picture({ degrees: 90, side: 30, quality: 0.9 }, { degrees: 40, side: 20 }, { degrees: 20, side: 5 });
const strangers = picture({ degrees: 90, side: 10 }, { degrees: 75, side: 20 });
const nobody = picture();

t.test('further pictures follow the first', async (test) => {
  for (const pickFace of [undefined, 'largest', 'best'] as const) {
    test.same((await read([alone, group], { pickFace })).degrees, [0, 20], `by ${String(pickFace)} the most like`);
    test.same((await read([group, alone], { pickFace })).degrees, [90, 0], 'the first goes by the rule');
  }
  test.same((await read([alone, strangers])).degrees, [0, 75], 'nobody like them, 0.26 < 0.35: the rule');
  const near = picture({ degrees: 69, side: 5 }, { degrees: 90, side: 20 });
  test.same((await read([alone, near])).degrees, [0, 69], 'cos 69° = 0.358');
  const flat = picture({ degrees: 0, side: 30, isFlat: true }, { degrees: 20, side: 5 });
  test.same((await read([alone, flat])).degrees, [0, 20], 'landmarks that make no face are passed over');
});

t.test('who was named is not looked for', async (test) => {
  test.same((await read([group, group], { pickFace: 1 })).degrees, [40, 40]);
  test.same((await read([alone, group], { pickFace: 0 })).degrees, [0, 90]);
  test.same((await read([alone, group], { pickFace: 'score' })).degrees, [0, 90]);
  const all = await read([alone, group], { pickFace: 'all' });
  test.same(
    [all.degrees, all.from],
    [
      [0, 90, 40, 20],
      [0, 1, 1, 1],
    ],
  );
});

t.test('a picture without a face', async (test) => {
  test.match(await failure(read([alone, nobody])), { code: 'FACE_NOT_FOUND', message: /references\[0\]\.images\[1\]/ });
  const skipped = await read([nobody, alone, nobody], { onMissing: 'skip' });
  test.same([skipped.degrees, skipped.from], [[0], [1]]);
  test.match(skipped.warnings, [
    /^REFERENCE_QUALITY references\[0\]\.images\[0\] is left out/,
    /images\[2\] is left out/,
  ]);
  for (const images of [[nobody], [nobody, nobody]])
    test.match(await failure(read(images, { onMissing: 'skip' })), { code: 'FACE_NOT_FOUND' }, 'none is left');
  test.match(
    await failure(read([alone, group], { pickFace: 'only', onMissing: 'skip' })),
    { code: 'FACE_AMBIGUOUS' },
    'only what is missing is skipped',
  );
});
