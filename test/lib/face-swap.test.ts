// Another person's face in a picture, by mask 'face' and a FaceID reference: eight people, two seeds. Likeness is the cosine of
// the recogniser with the person who is wanted; a picture without a face counts 0.
import t from 'tap';
import { FaceAnalyzer, IpAdapterError, type RawImage } from '../../lib/index.js';
import { cosine, opened, reference, sketch } from './sketch.js';

const LEAST = 0.3; // how much nearer to the wanted person the mean is after than before
const PEOPLE = [1, 2, 3, 4, 5, 6, 7, 8];
const SEEDS = [3, 4];

const photo = (person: number): string => reference(`person-${person}-1.png`);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The whole picture is drawn, or only the face with a little around it. */
const WAYS = [{}, { maskPadding: 16 }] as const;

t.test('mask face with faceid-plusv2 makes a face the wanted person’s', async (test) => {
  const pipe = await opened(test);
  const analyzer = await FaceAnalyzer.load({ ...sketch.face, detSize: 192 });
  test.teardown(() => analyzer.dispose());
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { face: analyzer });
  const known = new Map<number, Float32Array>();
  for (const person of PEOPLE) known.set(person, (await analyzer.identity(photo(person))).identity);
  const likeness = async (picture: RawImage, person: number): Promise<number> => {
    try {
      return cosine((await analyzer.identity(picture)).identity, known.get(person)!);
    } catch (error) {
      if (error instanceof IpAdapterError && error.code === 'FACE_NOT_FOUND') return 0;
      throw error;
    }
  };
  for (const way of WAYS) {
    const [before, after, to]: [number[], number[], number[]] = [[], [], []];
    for (const person of PEOPLE) {
      const wanted = (person % PEOPLE.length) + 1;
      for (const seed of SEEDS) {
        const { images } = await pipe.generate({
          prompt: 'portrait of a person',
          width: 128,
          height: 128,
          steps: 20,
          guidanceScale: 3,
          seed,
          init: { image: photo(person), mask: 'face', ...way },
          references: [{ image: photo(wanted) }],
        });
        const picture = { ...images[0]!, channels: 3 as const };
        before.push(cosine(known.get(person)!, known.get(wanted)!));
        after.push(await likeness(picture, wanted));
        to.push(await likeness(picture, person));
      }
    }
    const gain = mean(after) - mean(before);
    const line =
      `${JSON.stringify(way)}: to the wanted person ${mean(before).toFixed(3)} before, ${mean(after).toFixed(3)} after (worst ${Math.min(...after).toFixed(2)}), ` +
      `to the person of the picture ${mean(to).toFixed(3)} after; gain ${gain.toFixed(3)}`;
    test.comment(line);
    test.ok(gain >= LEAST, line);
  }
});
