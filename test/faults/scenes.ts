// Faults of the life cycle and pictures that must count as the same: rows that only code can play. Each scene resolves
// when nothing went wrong, or throws the library's error.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { defaultModel } from '../../lib/models/default-model.js';
import { FaceAnalyzer, type GenerateResult, type Job, type JobEvent, Pipeline } from '../../lib/index.js';
import { captureImage } from '../../lib/images/source.js';
import { decodeImage } from '../../lib/images/decode.js';
import { makeFile } from './files.js';
import { bytesOf } from './healthy.js';
import { referencePath, transparentTwins, turnedTwin } from './pictures.js';
import { goodRun, openPipeline } from './rows.js';

export interface Stage {
  readonly t: Test;
  readonly pipe: Pipeline;
  readonly scratch: string;
}

const PERSON = referencePath('person-1-1.png');
const MANY_STEPS = 200; // more than are drawn before a scene cancels them
const REASON = new Error('changed my mind');

/** The good run with another face, or with other options of the reference. */
const drawn = async (pipe: Pipeline, image: string, more: object = {}): Promise<string> =>
  bytesOf(await pipe.generate({ ...goodRun, references: [{ adapter: 'face', image, ...more }] }));

/** The picture that an adapter for whole pictures is shown. */
const drawnWhole = async (pipe: Pipeline, image: string): Promise<string> =>
  bytesOf(await pipe.generate({ ...goodRun, references: [{ adapter: 'whole', image }] }));

/** Gives the rejection a cause to compare: the scene's own reason. */
const withReason = async (t: Test, job: PromiseLike<unknown>): Promise<never> => {
  try {
    await job;
  } catch (error) {
    t.equal((error as Error).cause, REASON, 'the cause is the reason of the abort');
    throw error;
  }
  throw new Error('the aborted run ended well');
};

/** Aborts at the first event of a kind; after it no other event may come. */
const abortAt = async ({ t, pipe }: Stage, type: JobEvent['type'], part?: string): Promise<never> => {
  const controller = new AbortController();
  const after: string[] = [];
  const onProgress = (event: JobEvent): void => {
    if (controller.signal.aborted) after.push(event.type);
    else if (event.type === type && (part === undefined || ('part' in event && event.part === part)))
      controller.abort(REASON);
  };
  try {
    return await withReason(t, pipe.generate({ ...goodRun, signal: controller.signal, onProgress }));
  } finally {
    t.same(after, [], 'no event comes after the abort');
  }
};

/** Resolves with the first step of a run. */
const firstStep = async (job: Job): Promise<void> => {
  for await (const event of job) if (event.type === 'step') return;
};

/** A pipeline of the scene's own, gone when the scene ends. */
const ownPipeline = async <T>(work: (pipe: Pipeline) => Promise<T>, options = {}): Promise<T> => {
  const pipe = await openPipeline(options);
  try {
    return await work(pipe);
  } finally {
    await pipe.dispose();
  }
};

const long = { ...goodRun, steps: MANY_STEPS };

export const scenes: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
  alphaTwin: async ({ t, pipe, scratch }) => {
    const [clear, plain] = await transparentTwins(PERSON, scratch);
    const seen = await drawnWhole(pipe, clear);
    t.equal(seen, await drawnWhole(pipe, plain), 'transparent counts as white');
    t.not(seen, await drawnWhole(pipe, PERSON), 'and changes the picture');
  },

  turnedTwins: async ({ t, pipe, scratch }) => {
    const upright = await drawnWhole(pipe, PERSON);
    for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const twin = await turnedTwin(PERSON, orientation, scratch);
      t.equal(await drawnWhole(pipe, twin), upright, `orientation ${orientation}`);
    }
  },

  turnedPhoto: async ({ t }) => {
    const limits = { background: '#ffffff', maxPixels: 2 ** 25, formats: [] };
    const read = (path: string) => decodeImage(captureImage(path, 'image'), limits);
    const [turned, upright] = [await read(referencePath('turned.jpg')), await read(PERSON)];
    t.same([turned.width, turned.height], [upright.width, upright.height]);
    const total = turned.data.reduce((sum, value, i) => sum + Math.abs(value - upright.data[i]!), 0);
    const mean = total / upright.data.length;
    t.ok(mean < 3, `mean difference ${mean.toFixed(2)} grey levels`); // what JPEG loses; a turned picture differs by 40
  },

  twoPeople: async ({ t, pipe }) => {
    const picture = referencePath('two-people.png');
    await using analyzer = await FaceAnalyzer.load(defaultModel().face);
    const faces = await analyzer.detect(picture);
    t.equal(faces.length, 2);
    const areas = faces.map(({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1));
    const largest = areas[0]! > areas[1]! ? 0 : 1;
    const byDefault = await drawn(pipe, picture);
    t.equal(byDefault, await drawn(pipe, picture, { pickFace: 'largest' }));
    t.equal(byDefault, await drawn(pipe, picture, { pickFace: largest }), `the largest is face ${largest}`);
    t.not(byDefault, await drawn(pipe, picture, { pickFace: 1 - largest }), 'the other is another person');
  },

  faceWithoutNetworks: async ({ pipe }) => {
    await using bare = await pipe.addAdapter(defaultModel().adapters.faceid, { name: 'bare' });
    await pipe.generate({ ...goodRun, references: [{ adapter: bare, image: PERSON }] });
  },

  outputExists: async ({ pipe, scratch }) => {
    const [image] = (await pipe.generate(goodRun)).images;
    const path = join(scratch, 'taken.png');
    await image!.toFile(path);
    await image!.toFile(path, { overwrite: true });
    await image!.toFile(path);
  },

  outputNowhere: async ({ t, pipe, scratch }) => {
    const [image] = (await pipe.generate(goodRun)).images;
    const folder = join(scratch, 'nowhere');
    await image!.toFile(join(folder, 'a.png')).finally(() => t.notOk(existsSync(folder), 'nothing is left behind'));
  },

  abortBefore: ({ t, pipe }) => withReason(t, pipe.generate({ ...goodRun, signal: AbortSignal.abort(REASON) })),

  abortInQueue: async ({ t, pipe }) => {
    const controller = new AbortController();
    const first = pipe.generate(goodRun);
    const second = pipe.generate({ ...goodRun, signal: controller.signal });
    controller.abort(REASON);
    await withReason(t, second).finally(() => first);
  },

  abortAtStart: (stage) => abortAt(stage, 'start'),
  abortAtEncode: (stage) => abortAt(stage, 'encode', 'face'),
  abortAtStep: (stage) => abortAt(stage, 'step'),
  abortAtDecode: (stage) => abortAt(stage, 'decode'),

  abortLoad: ({ t }) => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(REASON);
    return withReason(t, Pipeline.load(defaultModel().path, { signal: controller.signal, onProgress }));
  },

  abortAfter: async ({ t, pipe }) => {
    const controller = new AbortController();
    const job = pipe.generate({ ...goodRun, signal: controller.signal });
    const before = bytesOf(await job);
    controller.abort(REASON);
    job.cancel(REASON);
    t.equal(bytesOf(await job), before);
  },

  listenerThrows: ({ t, pipe }) => {
    const onProgress = (event: JobEvent): void => {
      if (event.type === 'step') throw REASON;
    };
    return withReason(t, pipe.generate({ ...goodRun, onProgress }));
  },

  twoAtOnce: async ({ t, pipe }) => {
    const other = { ...goodRun, seed: 8, references: [{ adapter: 'whole', image: PERSON }] };
    const alone = [bytesOf(await pipe.generate(goodRun)), bytesOf(await pipe.generate(other))];
    const ended: string[] = [];
    const ending = async (name: string, job: Job): Promise<GenerateResult> => {
      const result = await job;
      ended.push(name);
      return result;
    };
    const both = [ending('first', pipe.generate(goodRun)), ending('second', pipe.generate(other))];
    t.same((await Promise.all(both)).map(bytesOf), alone);
    t.same(ended, ['first', 'second'], 'in the order of the calls');
  },

  queueFull: () =>
    ownPipeline(
      async (pipe) => {
        const [running, waiting] = [pipe.generate(long), pipe.generate(long)];
        try {
          await pipe.generate(long);
        } finally {
          for (const job of [running, waiting]) job.cancel();
          await Promise.allSettled([running, waiting]);
        }
      },
      { maxQueue: 1 },
    ),

  disposeDuring: () =>
    ownPipeline(async (pipe) => {
      const job = pipe.generate(long);
      let disposed: Promise<void> | undefined;
      for await (const event of job) if (event.type === 'step') disposed ??= pipe.dispose();
      await disposed;
      await job;
    }),

  runAfterDispose: () =>
    ownPipeline(async (pipe) => {
      await pipe.dispose();
      await pipe.dispose();
      await pipe.generate(goodRun);
    }),

  nanLatents: async ({ t, scratch }) => {
    const unet = 'unet/diffusion_pytorch_model.safetensors';
    const tensors = [{ nan: 'mid_block.resnets.0.conv1.weight', at: 12345 }];
    const path = makeFile({ copy: `sketch/pipeline/${unet}`, tensors, inPipeline: unet }, scratch);
    const pipe = await Pipeline.load(path, { allowNonFinite: true });
    const pictures: JobEvent[] = [];
    const onProgress = (event: JobEvent): void => {
      if (event.type === 'image' || event.type === 'decode') pictures.push(event);
    };
    try {
      await pipe.generate({ prompt: goodRun.prompt, steps: 2, seed: 7, onProgress });
    } finally {
      t.same(pictures, [], 'no picture comes');
      await pipe.dispose();
    }
  },

  noCudaLibrary: async ({ scratch }) => {
    const before = process.env.IPA_CUDA_LIBRARY;
    process.env.IPA_CUDA_LIBRARY = join(scratch, 'nowhere.so');
    try {
      await Pipeline.load(defaultModel().path, { device: 'cuda' });
    } finally {
      if (before === undefined) delete process.env.IPA_CUDA_LIBRARY;
      else process.env.IPA_CUDA_LIBRARY = before;
    }
  },
  noSuchLevel: async ({ t }) => {
    const before = process.env.IPA_CPU;
    process.env.IPA_CPU = 'avx9000';
    try {
      await Pipeline.load(defaultModel().path);
    } catch (error) {
      const { details } = error as { details: { expected: readonly string[] } };
      for (const level of details.expected) t.match((error as Error).message, level, `${level} is listed`);
      throw error;
    } finally {
      if (before === undefined) delete process.env.IPA_CPU;
      else process.env.IPA_CPU = before;
    }
  },
};
