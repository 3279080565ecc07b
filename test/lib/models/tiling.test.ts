// memory.vaeTiling, with the bundled model: what tiles change of a picture and what not, and how large they are.
import t from 'tap';
import type { GenerateOptions } from '../../../lib/index.js';
import { failure, opened, reference, scene } from '../sketch.js';

/** Mean and greatest difference in grey levels. */
const differences = (a: Uint8Array, b: Uint8Array): { readonly mean: number; readonly most: number } => {
  let [sum, most] = [0, 0];
  for (const [i, value] of a.entries()) {
    const one = Math.abs(value - b[i]!);
    sum += one;
    if (one > most) most = one;
  }
  return { mean: sum / a.length, most };
};

t.test('one tile is the whole; several differ a little, with no edge where they meet', async (test) => {
  const whole = await opened(test);
  const tiled = await opened(test, { memory: { vaeTiling: 'always' } });
  const never = await opened(test, { memory: { vaeTiling: 'never' } });
  const drawnBy = async (pipe: typeof whole, more: Partial<GenerateOptions>) =>
    (await pipe.generate({ ...scene, steps: 1, ...more })).images[0]!;
  const small = { width: 256, height: 256 };
  test.same(differences((await drawnBy(whole, small)).data, (await drawnBy(tiled, small)).data), { mean: 0, most: 0 });
  const init = { image: reference('person-5-1.png'), strength: 0, posterior: 'mode' as const }; // through the VAE and back
  const large = { width: 896, height: 640, init };
  const [a, b, c] = [await drawnBy(whole, large), await drawnBy(tiled, large), await drawnBy(never, large)];
  test.same(differences(a.data, c.data), { mean: 0, most: 0 }, 'never is whole where it fits');
  const { mean, most } = differences(a.data, b.data);
  test.comment(`896 × 640 in tiles: mean ${mean.toFixed(2)}, most ${most} grey levels`);
  test.ok(mean > 0, 'it was made in tiles');
  // norms of the network see a tile, not the picture: 3.6 with the bundled decoder, most of it at the edge of a narrow last tile
  test.ok(mean < 5, 'and is the same picture');
  const { width, height } = a;
  const stepAt = (data: Uint8Array, at: number, isColumn: boolean): number => {
    const [length, back] = isColumn ? [height, 3] : [width, 3 * width];
    let sum = 0;
    for (let along = 0; along < length; ++along)
      for (let c = 0; c < 3; ++c) {
        const i = 3 * (isColumn ? along * width + at : at * width + along) + c;
        sum += data[i]! - data[i - back]!;
      }
    return sum / (3 * length);
  };
  // tiles of 64 latents begin every 48, and are blended over 16: 384, 768 px, until 512
  const seams = [
    [384, true],
    [512, true],
    [768, true],
    [384, false],
    [512, false],
  ] as const;
  const steps = seams.map(([at, isColumn]) => Math.abs(stepAt(b.data, at, isColumn) - stepAt(a.data, at, isColumn)));
  test.comment(
    `steps where tiles meet that the whole has not: ${steps.map((step) => step.toFixed(2)).join(', ')} levels`,
  );
  test.ok(Math.max(...steps) < 0.3, 'far below one grey level: no edge');
});

t.test('another word is refused', async (test) => {
  const error = await failure(opened(test, { memory: { vaeTiling: 'sometimes' as 'auto' } }));
  test.match(error, { code: 'OPTION_UNKNOWN', message: /memory.vaeTiling/ });
});
