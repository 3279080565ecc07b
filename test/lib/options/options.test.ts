import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { IpAdapterError, type OptionError } from '../../../lib/errors.js';
import { loraSettings } from '../../../lib/loras/options.js';
import { loadSettings, type ModelDefaults } from '../../../lib/models/options.js';
import { type RunSettings, runSettings } from '../../../lib/run/options.js';
import { foreignName } from '../../../lib/schedulers/names.js';

const defaults: ModelDefaults = {
  width: 512,
  height: 512,
  steps: 30,
  guidanceScale: 7.5,
  sampler: 'pndm',
  schedule: undefined,
  scale: 1,
};
const pixels = { data: new Uint8Array(16 * 16 * 3), width: 16, height: 16, channels: 3 } as const;
const settingsOf = (options: object): RunSettings => runSettings({ prompt: 'a cat', ...options }, defaults);
const failure = (work: () => unknown): OptionError => {
  try {
    work();
  } catch (error) {
    if (error instanceof IpAdapterError) return error as OptionError;
    throw error;
  }
  throw new Error('nothing was thrown');
};

t.test('X-01: every numeric option refuses every bad value', async (test) => {
  const bad = [Number.NaN, Infinity, -Infinity, -1e308, 1e308, '512', 512n, null, [], { valueOf: () => 1 }, true];
  const options = ['width', 'height', 'steps', 'guidanceScale', 'guidanceRescale', 'count', 'eta', 'clipSkip'];
  for (const option of options) {
    for (const value of bad) {
      const { code, message, details } = failure(() => settingsOf({ [option]: value }));
      test.ok(['OPTION_TYPE', 'OPTION_RANGE'].includes(code), `${option}: ${String(value)} gives ${code}`);
      test.ok(message.includes(option) && details.option === option, message);
    }
  }
  for (const option of ['width', 'height', 'steps', 'count', 'clipSkip']) {
    for (const value of [-1, 0.5, 2 ** 31, 2 ** 53]) {
      test.equal(failure(() => settingsOf({ [option]: value })).code, 'OPTION_RANGE', `${option}: ${value}`);
    }
  }
  for (const option of ['loraScale', 'structureScale', 'scale', 'weights', 'pickFace']) {
    if (option === 'scale') continue; // needs the model's blocks: adapters/scales.test.ts
    for (const value of [Number.NaN, Infinity, -1, 1e308, 'high', 5n, null, {}]) {
      const { code, message } = failure(() => settingsOf({ references: [{ image: pixels, [option]: value }] }));
      test.ok(['OPTION_TYPE', 'OPTION_RANGE'].includes(code), `${option}: ${String(value)} gives ${code}`);
      test.match(message, `references[0].${option}`);
    }
  }
});

t.test('X-01: the numbers of init', async (test) => {
  for (const option of ['strength', 'maskPadding', 'maskBlur'])
    for (const value of [Number.NaN, Infinity, -1, 1e308, 2 ** 31, 'high', 5n, null, {}, []]) {
      const { code, message } = failure(() => settingsOf({ init: { image: pixels, mask: pixels, [option]: value } }));
      test.ok(['OPTION_TYPE', 'OPTION_RANGE'].includes(code), `${option}: ${String(value)} gives ${code}`);
      test.match(message, `init.${option}`);
    }
  test.match(failure(() => settingsOf({ init: {} })).message, /^Expected a path, .* for init\.image/);
});

t.test('the wording says what was expected and what came', async (test) => {
  test.equal(
    failure(() => settingsOf({ guidanceScale: 'high' })).message,
    'Expected a number from 0 to 50 for guidanceScale but received "high"',
  );
  test.equal(
    failure(() => settingsOf({ steps: 0 })).message,
    'Expected a whole number from 1 to 1000 for steps but received 0',
  );
  test.equal(failure(() => runSettings({}, defaults)).message, 'Expected text for prompt but received undefined');
  test.equal(failure(() => runSettings('a cat', defaults)).code, 'OPTION_TYPE');
});

t.test('X-02: a size offers the nearest valid one', async (test) => {
  const { code, hint } = failure(() => settingsOf({ width: 500 }));
  test.match({ code, hint }, { code: 'OPTION_RANGE', hint: 'The nearest valid size is 504' });
  test.match(failure(() => settingsOf({ height: 5000 })).hint, '4096');
  fc.assert(
    fc.property(fc.integer({ min: -100, max: 9000 }), (height) => {
      if (height % 8 === 0 && height >= 64 && height <= 4096) return settingsOf({ height }).height === height;
      const offered = Number(/\d+$/.exec(failure(() => settingsOf({ height })).hint)?.[0]);
      return settingsOf({ height: offered }).height === offered;
    }),
  );
});

t.test('X-03: unknown options, with the nearest name', async (test) => {
  for (const [given, near] of [
    ['guidancescale', 'guidanceScale'],
    ['negative_prompt', 'negativePrompt'],
    ['refrences', 'references'],
  ] as const) {
    const { code, message, hint } = failure(() => settingsOf({ [given]: 1 }));
    test.equal(code, 'OPTION_UNKNOWN');
    test.match(message, given);
    test.equal(hint, `Did you mean "${near}"?`);
  }
  test.match(
    failure(() => settingsOf({ sampler: 'eular' })),
    { code: 'OPTION_UNKNOWN', hint: 'Did you mean "euler"?' },
  );
  test.equal(failure(() => settingsOf({ promptSyntax: 'midjourney' })).code, 'OPTION_UNKNOWN');
  test.match(
    failure(() => loadSettings({ thread: 4 })),
    { code: 'OPTION_UNKNOWN', hint: 'Did you mean "threads"?' },
  );
  test.match(
    failure(() => loadSettings({ dtype: 'fp16' })),
    { code: 'OPTION_UNKNOWN', hint: 'Did you mean "f16"?' },
  );
  test.match(
    failure(() => loraSettings({ scale: 3 })),
    { code: 'OPTION_RANGE' },
  );
});

t.test(
  'LoRAs: strengths in the text encoders follow those in the UNet, and a run has a list of its own',
  async (test) => {
    const { scale, textScale } = loraSettings({ scale: 0.5 });
    test.same([scale, textScale], [0.5, 0.5]);
    test.equal(loraSettings({ textScale: 0 }).textScale, 0);
    test.match(
      failure(() => loraSettings({ textScale: -2.1 })),
      { code: 'OPTION_RANGE', message: 'textScale' },
    );
    test.equal(settingsOf({}).loras, undefined, 'as attached');
    test.same(settingsOf({ loras: [] }).loras, [], 'none');
    test.match(settingsOf({ loras: [{ lora: 'ink', textScale: 0 }] }).loras, [
      { option: 'loras[0]', lora: 'ink', scale: undefined, textScale: 0 },
    ]);
    for (const [loras, code, message] of [
      [{}, 'OPTION_TYPE', 'a list'],
      [new Array(65).fill({ lora: 'ink' }), 'OPTION_RANGE', 'list of 1 to 64'],
      [[{ lora: 'ink', scale: 3 }], 'OPTION_RANGE', 'loras[0].scale'],
      [[{ lora: 'ink', scales: 1 }], 'OPTION_UNKNOWN', 'loras[0]'],
    ] as const)
      test.match(
        failure(() => settingsOf({ loras })),
        { code, message },
      );
  },
);

t.test('X-04: getters and proxies are read once', async (test) => {
  let reads = 0;
  const changing = {
    prompt: 'a cat',
    get steps() {
      reads += 1;
      return reads === 1 ? 20 : 'twenty';
    },
  };
  test.equal(runSettings(changing, defaults).steps, 20);
  test.equal(reads, 1);
  const cause = new Error('no');
  const throwing = {
    prompt: 'a cat',
    get seed() {
      throw cause;
    },
  };
  const error = failure(() => runSettings(throwing, defaults));
  test.equal(error.code, 'OPTION_TYPE');
  test.equal(error.cause, cause);
  const trap = new Proxy(
    {},
    {
      ownKeys: () => {
        throw cause;
      },
    },
  );
  test.equal(failure(() => runSettings(trap, defaults)).cause, cause);
  test.equal(
    failure(() => runSettings(JSON.parse('{"prompt":"a","__proto__":{"steps":3}}'), defaults)).code,
    'OPTION_UNKNOWN',
  );
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  test.equal(failure(() => settingsOf({ references: [{ image: pixels, scale: cyclic }] })).code, 'OPTION_TYPE');
  test.equal(failure(() => settingsOf({ references: new Array(1e6).fill({ image: pixels }) })).code, 'OPTION_RANGE');
});

t.test('X-04: whatever is given, the answer is settings or an error of ours', async () => {
  const anything = fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true });
  const option = fc.constantFrom(
    'prompt',
    'steps',
    'seed',
    'references',
    'loras',
    'clipSkip',
    'sampler',
    'signal',
    'metadata',
    'x',
  );
  fc.assert(
    fc.property(fc.dictionary(option, anything), (options) => {
      try {
        runSettings(options, defaults);
      } catch (error) {
        if (!(error instanceof IpAdapterError) || error.code === 'INTERNAL') throw error;
      }
    }),
    { numRuns: 500 },
  );
});

t.test('what other tools call it is answered with the exact options', async (test) => {
  for (const [sampler, hint] of [
    ['Euler a', "Give sampler: 'euler_ancestral'"],
    ['DPM++ 2M Karras', "Give sampler: 'dpmpp_2m', schedule: 'karras'"],
    ['DPM++ 2M SDE Exponential', "Give sampler: 'dpmpp_2m_sde', schedule: 'exponential'"],
    ['k_euler', "Give sampler: 'euler'"],
    ['k_euler_ancestral', "Give sampler: 'euler_ancestral'"],
    ['sample_dpmpp_2m', "Give sampler: 'dpmpp_2m'"],
    ['PLMS', "Give sampler: 'pndm'"],
    ['UniPC', "Give sampler: 'unipc'"],
    ['DPMSolverMultistepScheduler', "Give sampler: 'dpmpp_2m'"],
    ['EulerAncestralDiscreteScheduler', "Give sampler: 'euler_ancestral'"],
    ['DPM++ SDE Karras', "Give sampler: 'dpmpp_sde', schedule: 'karras'"],
    ['LMS', "Give sampler: 'lms'"],
    ['DPM2 a Karras', "Give sampler: 'dpm_2_ancestral', schedule: 'karras'"],
    ['dpmpp_3m_sde_gpu', "Give sampler: 'dpmpp_3m_sde'"],
    ['DPM fast', "It is not in this version; the nearest is sampler: 'dpmpp_2m'"],
  ] as const)
    test.match(
      failure(() => settingsOf({ sampler })),
      { code: 'OPTION_UNKNOWN', hint },
      sampler,
    );
  test.match(
    failure(() => settingsOf({ schedule: 'Karras' })),
    { code: 'OPTION_UNKNOWN', hint: "Give schedule: 'karras'" },
  );
  test.match(
    failure(() => settingsOf({ schedule: 'SGM Uniform' })),
    { code: 'OPTION_UNKNOWN', hint: "Give schedule: 'sgm_uniform'" },
  );
  test.equal(foreignName('sampler', 'constructor'), undefined);
});

t.test('hints fit: an option that is required, a seed that means random elsewhere', async (test) => {
  test.match(
    failure(() => settingsOf({ prompt: undefined })),
    { code: 'OPTION_TYPE', message: 'prompt', hint: 'Give prompt: nothing can stand in for it' },
  );
  for (const seed of [-1, -1n])
    test.match(failure(() => settingsOf({ seed })).hint, /^-1 means random elsewhere: leave seed out/);
});

t.test('X-05: seeds', async (test) => {
  test.same(settingsOf({ seed: 2n ** 64n - 1n, count: 2 }).seeds, [2n ** 64n - 1n, 0n]);
  test.same(settingsOf({ seed: 7, count: 3 }).seeds, [7n, 8n, 9n]);
  test.same(settingsOf({ seed: Number.MAX_SAFE_INTEGER }).seeds, [BigInt(Number.MAX_SAFE_INTEGER)]);
  for (const seed of [-1, 0.5, 2 ** 53 + 2, -1n, 2n ** 64n, '7', null, Number.NaN]) {
    test.equal(failure(() => settingsOf({ seed })).code, 'OPTION_RANGE', String(seed));
  }
  test.equal(new Set(Array.from({ length: 20 }, () => settingsOf({}).seeds[0])).size, 20, 'drawn anew each time');
});

t.test('X-06: prompts have a limit', async (test) => {
  test.equal(failure(() => settingsOf({ prompt: 'a'.repeat(100_001) })).code, 'PROMPT_TOO_LONG');
  test.equal(
    failure(() => runSettings({ prompt: 'a cat', negativePrompt: 'abcd' }, defaults, 3)).code,
    'PROMPT_TOO_LONG',
  );
});

t.test('defaults are the model’s, and its schedule belongs to its sampler', async (test) => {
  const sketch: ModelDefaults = {
    ...defaults,
    width: 128,
    height: 128,
    steps: 20,
    guidanceScale: 3,
    sampler: 'dpmpp_2m',
    schedule: 'karras',
  };
  test.match(runSettings({ prompt: 'a' }, sketch), {
    width: 128,
    steps: 20,
    guidanceScale: 3,
    sampler: 'dpmpp_2m',
    schedule: 'karras',
  });
  test.equal(runSettings({ prompt: 'a', sampler: 'euler' }, sketch).schedule, undefined);
  test.equal(runSettings({ prompt: 'a', schedule: 'default' }, sketch).schedule, 'default');
  test.same(settingsOf({ clipSkip: 1 }).clipSkip, [1, 1]);
  test.same(settingsOf({ clipSkip: [1, 0] }).clipSkip, [1, 0]);
  test.equal(settingsOf({ steps: undefined }).steps, 30);
});

t.test('a reference has exactly one source', async (test) => {
  test.equal(failure(() => settingsOf({ references: [{ scale: 1 }] })).code, 'OPTION_CONFLICT');
  test.equal(failure(() => settingsOf({ references: [{ image: pixels, images: [pixels] }] })).code, 'OPTION_CONFLICT');
  test.equal(failure(() => settingsOf({ references: [{ images: [] }] })).code, 'OPTION_RANGE');
  test.equal(failure(() => settingsOf({ references: [{ images: new Array(17).fill(pixels) }] })).code, 'OPTION_RANGE');
  test.equal(
    failure(() => settingsOf({ references: [{ images: [pixels, pixels], weights: [1] }] })).code,
    'OPTION_RANGE',
  );
  test.equal(failure(() => settingsOf({ references: [{ images: [pixels], weights: [0] }] })).code, 'OPTION_RANGE');
  test.equal(failure(() => settingsOf({ references: [{ face: { identity: [1, 2] } }] })).code, 'OPTION_TYPE');
  test.same(settingsOf({ references: [] }).references, []);
});

t.test('R15: buffers are copied before anything waits', async (test) => {
  const data = new Uint8Array(16 * 16 * 3).fill(9);
  const identity = new Float32Array(512).fill(1);
  const { references } = settingsOf({ references: [{ image: { ...pixels, data } }, { face: { identity } }] });
  data.fill(0);
  identity.fill(0);
  await sleep(0);
  const [first, second] = references;
  test.match(first!.images[0], { kind: 'raw' });
  test.ok(first!.images[0]!.kind === 'raw' && first!.images[0]!.data.every((v) => v === 9));
  test.ok(second!.face!.identity.every((v) => v === 1));
});
