import t from 'tap';
import { eyeDistance, qualityOf, sharpnessOf, yawOf } from '../../../lib/faces/quality.js';

const near = (found: number, expected: number): boolean => Math.abs(found - expected) < 1e-6;

/** Landmarks of eyes `distance` apart, the nose `along` eye distances beside their middle, all turned by `tilt` degrees. */
const landmarks = (distance: number, along = 0, tilt = 0): number[] => {
  const points = [
    [-0.5, 0],
    [0.5, 0],
    [along, 0.6],
    [-0.4, 1.1],
    [0.4, 1.1],
  ];
  const angle = (tilt * Math.PI) / 180;
  return points.flatMap(([x, y]) => [
    200 + distance * (x! * Math.cos(angle) - y! * Math.sin(angle)),
    200 + distance * (x! * Math.sin(angle) + y! * Math.cos(angle)),
  ]);
};

/** A grey close-up of 112 px. */
const closeUp = (grey: (x: number, y: number) => number) => {
  const data = new Uint8Array(112 * 112 * 3);
  for (let i = 0; i < data.length; ++i) data[i] = grey(Math.floor(i / 3) % 112, Math.floor(i / 336));
  return { width: 112, height: 112, data };
};

t.test('eyes and turn, whatever the tilt', async (test) => {
  for (const tilt of [0, 30, -75, 180]) {
    test.ok(near(eyeDistance(landmarks(40, 0, tilt)), 40), `distance at ${tilt}`);
    test.ok(near(yawOf(landmarks(40, 0, tilt)), 0), `frontal at ${tilt}`);
    test.ok(near(yawOf(landmarks(40, 0.55, tilt)), 45), `45 degrees at ${tilt}`);
    test.ok(near(yawOf(landmarks(40, -0.55 * Math.tan(Math.PI / 9), tilt)), -20), `-20 degrees at ${tilt}`);
  }
  test.equal(yawOf(landmarks(0)), 90, 'no distance: a profile');
});

t.test('sharpness is the variance of the Laplacian in the middle', async (test) => {
  test.equal(sharpnessOf(closeUp(() => 90)), 0, 'flat');
  test.ok(near(sharpnessOf(closeUp((x) => x)), 0), 'a ramp has no curvature');
  // a chessboard of ±a about the mean: the Laplacian is 8a with alternating sign
  test.ok(near(sharpnessOf(closeUp((x, y) => ((x + y) % 2 === 0 ? 100 : 104))), 256), 'a = 2: (8 · 2)²');
  test.equal(
    sharpnessOf(closeUp((x, y) => (x < 20 && y < 20 ? ((x + y) % 2) * 255 : 90))),
    0,
    'a corner does not count',
  );
  const green = closeUp(() => 90);
  for (let i = 1; i < green.data.length; i += 3)
    green.data[i] = (Math.floor(i / 3) + Math.floor(i / 336)) % 2 === 0 ? 90 : 94;
  test.ok(near(sharpnessOf(green), 256 * 0.587 ** 2), 'luma: green counts 0.587');
});

t.test('the score has four parts', async (test) => {
  const flat = closeUp(() => 90);
  const sharp = closeUp((x, y) => ((x + y) % 2 === 0 ? 100 : 104));
  const of = (distance: number, score: number, along: number, picture = flat): number =>
    qualityOf({ box: [0, 0, 1, 1], score, landmarks: landmarks(distance, along) }, picture);
  test.ok(near(of(70, 1, 0, sharp), 1), 'best');
  test.ok(near(of(700, 1, 0, sharp), 1), 'and no more');
  test.ok(near(of(35, 0, 0.55), 0.15), 'half the size');
  test.ok(near(of(0.0007, 0.8, 0.55), 0.2 + 3e-6), 'what the detector says');
  test.ok(near(of(0.0007, 0, 0.55 * Math.tan(Math.PI / 8)), 0.125 + 3e-6), 'turned half-way');
  const half = closeUp((x, y) => ((x + y) % 2 === 0 ? 100 : 101)); // (8 · 0.5)² = 16
  test.ok(near(of(0.0007, 0, 0.55, half), (0.2 * 16) / 150 + 3e-6), 'sharp in part');
});
