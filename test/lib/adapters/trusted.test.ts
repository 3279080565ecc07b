import t from 'tap';
import { type Inputs, trustedOf } from '../../../lib/adapters/trusted.js';
import { variantRow } from '../../../lib/adapters/variants.js';

type Choice = Parameters<typeof trustedOf>[1];

/** An identity in a plane, `degrees` from the first axis. */
const towards = (degrees: number): Float32Array => {
  const identity = new Float32Array(512);
  identity[0] = Math.cos((degrees * Math.PI) / 180);
  identity[1] = Math.sin((degrees * Math.PI) / 180);
  return identity;
};

const inputs = (
  degrees: readonly number[],
  qualities?: readonly number[],
  from = degrees.map((_, i) => i),
): Inputs => ({
  identities: degrees.map(towards),
  features: undefined,
  qualities,
  from,
});

const chosen = (given: Inputs, choice: Partial<Choice> = {}, variant = 'faceid') => {
  const warnings: string[] = [];
  const images = new Array(Math.max(...given.from) + 1).fill({});
  const reference = {
    option: 'references[0]',
    embedding: undefined,
    weights: undefined,
    outliers: undefined,
    combine: undefined,
    weightMode: undefined,
    ...choice,
    images,
  };
  const trusted = trustedOf(given, reference, variantRow(variant), (code, message) => {
    warnings.push(`${code} ${message}`);
  });
  return { ...trusted, from: trusted.inputs.from, warnings };
};

const failure = (work: () => unknown): Record<string, unknown> => {
  try {
    work();
  } catch (error) {
    return error as Record<string, unknown>;
  }
  return {};
};

const person = [0, 10, 20, 90]; // degrees: the last is somebody else

t.test('outliers are warned of, left out, refused, or meant', async (test) => {
  const warned = chosen(inputs(person));
  test.same(warned.from, [0, 1, 2, 3], 'used all the same');
  test.match(warned.warnings, [
    /^REFERENCE_QUALITY references\[0\]\.images\[3\] seems to be of another person \(likeness to the others 0\.17, below 0\.30/,
  ]);
  test.equal(warned.warnings.length, 1);
  test.same(warned.used, undefined);

  const dropped = chosen(inputs(person), { outliers: 'drop' });
  test.same(
    [dropped.from, dropped.used, dropped.weights],
    [
      [0, 1, 2],
      [0, 1, 2],
      [1, 1, 1],
    ],
  );
  test.match(dropped.warnings, [/images\[3\] is left out: it seems to be of another person/]);

  test.match(
    failure(() => chosen(inputs(person), { outliers: 'error' })),
    {
      code: 'FACE_REFERENCES_DISAGREE',
      message: /references\[0\]\.images\[3\]: 0\.17, below 0\.30/,
      hint: /outliers "off"/,
      details: { outliers: [{ index: 3, picture: 3, reason: /below 0\.30/ }] },
    },
  );
  test.same(chosen(inputs(person), { outliers: 'off' }).warnings, []);
  test.same(chosen(inputs([0, 10, 20]), { outliers: 'error' }).warnings, [], 'one person');
});

t.test('of two nobody is left out', async (test) => {
  for (const outliers of ['warn', 'drop'] as const) {
    const two = chosen(inputs([0, 90]), { outliers });
    test.same(two.from, [0, 1]);
    test.equal(two.warnings.length, 1);
    test.match(two.warnings, [
      /images\[0\] and references\[0\]\.images\[1\] do not seem to be of one person \(likeness 0\.00/,
    ]);
  }
  test.match(
    failure(() => chosen(inputs([0, 90]), { outliers: 'error' })),
    { code: 'FACE_REFERENCES_DISAGREE' },
  );
  test.same(chosen(inputs([0, 90]), { outliers: 'off' }).warnings, []);
});

t.test('the larger part stays', async (test) => {
  const halves = chosen(inputs([0, 0, 90, 90]), { outliers: 'drop' });
  test.same(halves.from, [0, 1, 2], 'of four one at most');
  test.equal(halves.warnings.length, 4, 'each is named');
  test.same(chosen(inputs([0, 85, 170, 255, 340]), { outliers: 'drop' }).from.length, 3, 'of five two at most');
});

t.test('what has no weight does not disagree', async (test) => {
  const given = chosen(inputs(person), { weights: [1, 1, 1, 0] });
  test.same(given.warnings, []);
  const left = chosen(inputs([90, 0, 10, 20]), { weights: [0, 1, 1, 1], outliers: 'drop' });
  test.same(left.weights, [0, 1, 1, 1]);
});

t.test('faces of one picture are told apart', async (test) => {
  const { warnings } = chosen(inputs(person, undefined, [0, 1, 2, 2]));
  test.match(warnings, [/images\[2\], face 1 seems/]);
});

t.test('the best alone', async (test) => {
  const qualities = [0.4, 0.8, 0.7, 0.9];
  const best = chosen(inputs(person, qualities), { combine: 'best' });
  test.same([best.from, best.used, best.weights], [[3], [3], [1]], 'trusted or not: it is only warned of');
  const trusted = chosen(inputs(person, qualities), { combine: 'best', outliers: 'drop' });
  test.same(trusted.from, [1], 'the best of those that stay');
  test.same(chosen(inputs([0, 1], [0.5, 0.5]), { combine: 'best' }).from, [0], 'of equals the first');
  test.same(chosen(inputs([0, 1]), { combine: 'best' }).from, [0, 1], 'without scores: all');
  const features = [1, 2].map((value) => ({ shape: [1, 1, 1, 1] as const, data: Float32Array.of(value) }));
  const both = chosen({ ...inputs([0, 1], [0.1, 0.2]), features } as Inputs, { combine: 'best' });
  test.same(
    both.inputs.features?.map(({ data }) => data[0]),
    [2],
    'identity and features of the same',
  );
});

t.test('weights by quality', async (test) => {
  const by = chosen(inputs([0, 1], [0.9, 0.3]), { weights: 'quality' });
  test.same(by.weights, [1.5, 0.5], 'in proportion, of mean 1');
  test.same(by.recorded, [0.75, 0.25], 'averaged: of sum 1');
  const aside = chosen(inputs([0, 1], [0.9, 0.3]), { weights: 'quality' }, 'faceid-portrait');
  test.same(aside.recorded, [1.5, 0.5], 'side by side: as they act');
  const left = chosen(inputs(person, [0.9, 0.3, 0.6, 0.9]), { weights: 'quality', outliers: 'drop' });
  test.same(
    left.recorded?.map((weight) => Math.round(weight * 1000) / 1000),
    [0.5, 0.167, 0.333],
  );
  const unknown = chosen(inputs([0, 1]), { weights: 'quality' });
  test.same([unknown.weights, unknown.recorded], [[1, 1], undefined], 'without scores');
});

t.test('weights that were given', async (test) => {
  test.same(chosen(inputs([0, 1]), { weights: [3, 1] }).recorded, [0.75, 0.25]);
  test.same(chosen(inputs([0, 1]), { weights: [3, 1], combine: 'separate' }).recorded, [3, 1]);
  test.same(chosen(inputs([0, 1]), { weights: [3, 1], weightMode: 'embed' }).recorded, [3, 1]);
  test.same(chosen(inputs([0, 1, 2], undefined, [0, 2, 2]), { weights: [3, 1, 2] }).weights, [3, 2, 2], 'by picture');
  const skipped = (): unknown => chosen(inputs([0, 1], undefined, [0, 2]), { weights: [0, 1, 0] });
  test.match(failure(skipped), { code: 'OPTION_RANGE', message: /references\[0\]\.weights/ });
});
